"""`asr decode`: the hypotheses of a manifest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import Device, DeviceOption, ModelOption


def decode(
    manifest: Annotated[Path, typer.Argument(help="A JSON-lines manifest.")],
    *,
    model: ModelOption,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Hypothesis file; else stdout.")
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Recognise every utterance of MANIFEST; `asr score MANIFEST OUTPUT` tells the error rates."""
    from asr.batching import BatchSettings
    from asr.decoding.hypotheses import hypothesis_line, require_all, write_hypotheses
    from asr.manifest import read_manifest
    from asr.recognizer import Recognizer
    from asr.training.distributed import choose_device

    utterances = read_manifest(manifest)
    recognizer = Recognizer.load(model, choose_device(device.value))
    answers = recognizer.transcribe_all(utterances, BatchSettings())
    hypotheses = require_all(answers, total=len(utterances), what=str(manifest))
    ordered = {utterance.id: hypotheses[utterance.id] for utterance in utterances}
    if output is None:
        for identifier, hypothesis in ordered.items():
            print(hypothesis_line(identifier, hypothesis))
        return
    write_hypotheses(output, ordered)
    print(f"asr: {len(ordered)} hypotheses in {output}", file=sys.stderr)
