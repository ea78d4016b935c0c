"""`asr tune`: a language model for a model, with the weights that suit it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.ngrams import read_ngrams
from asr.cli.options import Device, DeviceOption

if TYPE_CHECKING:
    from asr.tokens import TokenTable
    from asr.voices import Warps

_WIDE = 100  # the beam, where no other is given and the model has no wider one


def tune(
    model: Annotated[Path, typer.Argument(help="A model folder, or its experiment folder.")],
    manifest: Annotated[Path, typer.Argument(help="A development set that was not trained on.")],
    *,
    lm: Annotated[
        Path | None,
        typer.Option(
            help="An ARPA file, an lm.safetensors or a model folder, whose language model takes "
            "the place of the model's own."
        ),
    ] = None,
    characters: Annotated[
        bool, typer.Option("--characters", help="It is over characters, not words.")
    ] = False,
    beam: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Hypotheses kept at each frame, at most: else as the model has, or 100.",
        ),
    ] = None,
    warps: Annotated[
        str | None,
        typer.Option(
            metavar="FACTORS",
            help="Hear every recording as several voices from now on, its frequencies warped by "
            "each of these, like 0.94,1,1.06; 1 hears it as it is. Else as before.",
        ),
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Find the weights and the blank penalty of a search that make the fewest errors on MANIFEST.

    The model computes its emissions once; then n-best lists are ranked anew under a grid of
    weights, and of several beams the narrowest is chosen that is as good as the best. All goes into
    the model folder, with a picture of the grid (tune.png), and `asr transcribe` decodes with it
    from then on, as does `asr run` where the model is an experiment's. With --beam a model without
    language model searches, too.
    """
    import tempfile
    from contextlib import ExitStack
    from dataclasses import replace

    from asr.batching import BatchSettings
    from asr.bundle import load_bundle, model_folder, refuse_warps
    from asr.decoding.beam import BeamSettings
    from asr.decoding.folder import has_search, load_decoder, read_decoder
    from asr.manifest import read_manifest
    from asr.recipe.lock import hold_lock
    from asr.recipe.record import RECORD, record_change
    from asr.shipped import refuse_shipped
    from asr.training.distributed import choose_device
    from asr.tuning.report import compute_development_set, write_tuned
    from asr.tuning.spelling import warn_of_spelling

    refuse_shipped(model)
    utterances, place = read_manifest(manifest), model_folder(model)
    where = choose_device(device.value)
    bundle = load_bundle(model, where)
    if warps is not None:
        bundle = replace(bundle, warps=_factors(warps))
        refuse_warps(bundle.features, bundle.warps)
    described = read_decoder(place)
    before = described.settings if described else None
    # The weights are found anew, and so is the beam; the rest stays.
    settings = (before or BeamSettings()).model_copy(
        update={
            "beam": beam or max(_WIDE, before.beam if before else 0),
            "lm_weight": BeamSettings().lm_weight,
            "word_bonus": 0.0,
            "blank_penalty": 0.0,
        }
    )
    with ExitStack() as stack:
        if (place / RECORD).exists():
            stack.enter_context(hold_lock(place.parent))
        source = place
        if lm is not None:
            source = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _place(lm, source, bundle.tokens, characters=characters)
        decoder = None
        if has_search(source) or before is not None or beam is not None:
            decoder = load_decoder(source, bundle.tokens, settings)
            warn_of_spelling(source, decoder, bundle.tokens)
        dev = compute_development_set(bundle, utterances, BatchSettings())
        write_tuned(dev, decoder, settings, source=source, output=place, device=str(where))
        record_change(place, "asr tune")
    print(place)


def _factors(text: str) -> "Warps":
    from pydantic import TypeAdapter, ValidationError

    from asr.errors import ConfigError
    from asr.voices import Warps

    try:
        factors: Warps = TypeAdapter(Warps).validate_python(text.split(","))
    except ValidationError:
        raise ConfigError(
            f"--warps {text}: expected factors from 0.5 to 1.5, like 0.94,1,1.06"
        ) from None
    return () if factors == (1.0,) else factors


def _place(lm: Path, folder: Path, tokens: "TokenTable", *, characters: bool) -> None:
    """Put a language model, with all that a model folder has of it, into a folder."""
    from asr.bundle import model_folder
    from asr.decoding.folder import WORDS, place_language_model
    from asr.lm.text import SPECIAL
    from asr.rnnlm.model import has_rnn, load_rnn, save_rnn
    from asr.shipped import find_model

    lm = find_model(lm)
    ngrams = read_ngrams(lm)
    if lm.is_dir():
        other = model_folder(lm)
        characters = not (other / WORDS).exists()
        if has_rnn(other):
            save_rnn(folder, load_rnn(other))
    words = None if characters else ngrams.words[len(SPECIAL) :]
    place_language_model(folder, ngrams, words, tokens)
