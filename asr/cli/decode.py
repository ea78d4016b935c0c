"""`asr decode`: the hypotheses of a manifest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import (
    BeamOption,
    Device,
    DeviceOption,
    GreedyOption,
    HotwordBonusOption,
    HotwordsOption,
    LmWeightOption,
    ModelOption,
    decoding_options,
)


def decode(
    manifest: Annotated[Path, typer.Argument(help="A JSON-lines manifest.")],
    *,
    model: ModelOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Hypothesis file; else stdout.")
    ] = None,
    no_lm: GreedyOption = False,
    beam: BeamOption = None,
    lm_weight: LmWeightOption = None,
    hotwords: HotwordsOption = None,
    hotword_bonus: HotwordBonusOption = None,
    nbest: Annotated[
        int | None,
        typer.Option(min=1, help="Also write so many texts for each, for the oracle error rate."),
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Recognise every utterance of MANIFEST; `asr score MANIFEST OUTPUT` tells the error rates.

    An utterance that cannot be recognised is named on stderr; the others are recognised all the
    same, and the exit status is 2.
    """
    from asr.batching import BatchSettings
    from asr.decoding.hypotheses import collect, hypothesis_line, write_hypotheses
    from asr.files import refuse_overlap, refuse_unwritable
    from asr.manifest import read_manifest
    from asr.recognizer import Recognizer, decoding_pool
    from asr.shipped import choose_model
    from asr.training.distributed import choose_device

    folder, utterances = choose_model(model), read_manifest(manifest)
    options = decoding_options(
        greedy=no_lm,
        beam=beam,
        lm_weight=lm_weight,
        hotwords=hotwords,
        bonus=hotword_bonus,
        nbest=nbest,
    )
    if output is not None:
        refuse_overlap([manifest], [output])
        refuse_unwritable(output)
    recognizer = Recognizer.load(folder, choose_device(device.value), options)
    with decoding_pool(folder, options, len(utterances)) as pool:
        answers = recognizer.transcribe_all(utterances, BatchSettings(), pool)
        hypotheses, errors = collect(answers, total=len(utterances), what=str(manifest))
    ordered = {one.id: hypotheses[one.id] for one in utterances if one.id in hypotheses}
    if output is None:
        for identifier, hypothesis in ordered.items():
            print(hypothesis_line(identifier, hypothesis))
    else:
        write_hypotheses(output, ordered)
        print(f"asr: {len(ordered)} hypotheses in {output}", file=sys.stderr)
    for identifier in (one.id for one in utterances if one.id in errors):
        print(f"asr: {identifier}: {errors[identifier]}", file=sys.stderr)
    if errors:
        print(f"asr: {len(errors)} of {len(utterances)} not recognised", file=sys.stderr)
        raise typer.Exit(2)
