"""`asr tune`: a language model for a model, with the weights that suit it."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import Device, DeviceOption


def tune(
    model: Annotated[Path, typer.Argument(help="A model folder, or its experiment folder.")],
    manifest: Annotated[Path, typer.Argument(help="A development set that was not trained on.")],
    *,
    lm: Annotated[
        Path | None,
        typer.Option(help="An ARPA file that takes the place of the model's own language model."),
    ] = None,
    characters: Annotated[
        bool, typer.Option("--characters", help="The ARPA file is over characters, not words.")
    ] = False,
    beam: Annotated[int, typer.Option(min=1, help="Hypotheses kept at each frame.")] = 100,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Find the weights of the language model that make the fewest errors on MANIFEST.

    The model computes its emissions once; then n-best lists are ranked anew under a grid of
    weights. The best goes into the model folder, with a picture of the grid (tune.png), and
    `asr transcribe` decodes with it from then on.
    """
    import tempfile

    from asr.batching import BatchSettings
    from asr.bundle import load_bundle, model_folder
    from asr.decoding.beam import BeamSettings
    from asr.decoding.folder import has_search, load_decoder, place_language_model
    from asr.lm.arpa import read_arpa
    from asr.lm.text import SPECIAL
    from asr.manifest import read_manifest
    from asr.training.distributed import choose_device
    from asr.tuning.report import compute_development_set, write_tuned

    utterances, place = read_manifest(manifest), model_folder(model)
    where = choose_device(device.value)
    bundle = load_bundle(model, where)
    settings = BeamSettings(beam=beam)
    with tempfile.TemporaryDirectory() as temporary:
        source = place
        if lm is not None:
            source = Path(temporary)
            ngrams = read_arpa(lm)
            words = None if characters else ngrams.words[len(SPECIAL) :]
            place_language_model(source, ngrams, words, bundle.tokens)
        decoder = load_decoder(source, bundle.tokens, settings) if has_search(source) else None
        dev = compute_development_set(bundle, utterances, BatchSettings())
        write_tuned(dev, decoder, settings, source=source, output=place, device=str(where))
    print(place)
