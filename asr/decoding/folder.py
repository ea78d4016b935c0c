"""The part of a model folder that says how to decode.

decoder.json     settings of the search, and the calibration of confidences
lm.safetensors   the n-gram model, packed, where there is one
words.txt        the lexicon, one word a line, with its phones where those are the tokens

A recurrent language model, where there is one, has files of its own (asr.rnnlm.model).
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.decoding.lexicon import read_lexicon, write_lexicon
from asr.decoding.rescoring import RescoringSettings
from asr.errors import ConfigError, ModelError
from asr.files import whole_file, write_text
from asr.lm.model import NgramModel
from asr.lm.packed import write_packed
from asr.tokens import TokenTable

DECODER = "decoder.json"
WORDS = "words.txt"


@dataclass(frozen=True)
class DecoderDescription:
    """How a model's emissions are best decoded."""

    settings: BeamSettings | None  # of the search; None: greedily
    calibration: Calibration
    # Nats by which a word outside the lexicon must be more probable; None: there are none.
    spelling_penalty: float | None = None
    rescoring: RescoringSettings | None = None  # of what the search finds


def place_language_model(
    folder: Path, language_model: NgramModel, words: Sequence[str] | None, tokens: TokenTable
) -> None:
    """Put a language model and a lexicon into a folder.

    Args:
        folder: of a model, or to be copied into one.
        language_model: over the words of the lexicon, or over characters.
        words: the lexicon; None: there is none.
        tokens: of the model, that the lexicon is spelled in.

    Raises:
        ModelError: the n-grams of the language model are too long.
    """
    write_packed(folder / LANGUAGE_MODEL, language_model)
    if words is not None:
        write_lexicon(folder / WORDS, words, tokens)


def copy_language_model(source: Path, folder: Path) -> None:
    """Make the language model and the lexicon of a folder those of another, or none."""
    for name in (LANGUAGE_MODEL, WORDS):
        if (source / name).exists():
            with whole_file(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)
        else:
            (folder / name).unlink(missing_ok=True)


def save_decoder(folder: Path, description: DecoderDescription) -> None:
    """Write how to decode into a model folder."""
    content = {
        "settings": description.settings and description.settings.model_dump(mode="json"),
        "calibration": description.calibration.model_dump(mode="json"),
        "spelling_penalty": description.spelling_penalty,
        "rescoring": description.rescoring and description.rescoring.model_dump(mode="json"),
    }
    write_text(folder / DECODER, json.dumps(content, indent=1) + "\n")


def has_search(folder: Path) -> bool:
    """Whether a folder has a lexicon or a language model to search with."""
    return (folder / LANGUAGE_MODEL).exists() or (folder / WORDS).exists()


def read_decoder(folder: Path) -> DecoderDescription | None:
    """How to decode with the model of a folder; None where it does not say.

    Raises:
        ModelError: the description is damaged.
    """
    path = folder / DECODER
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        search, penalty = content["settings"], content["spelling_penalty"]
        if not isinstance(penalty, float | int | None):
            raise TypeError(f"spelling_penalty: {penalty!r} came; expected a number or null")
        return DecoderDescription(
            None if search is None else BeamSettings.parse(search, f"{path}: settings"),
            Calibration.parse(content["calibration"], f"{path}: calibration"),
            penalty,
            None
            if content["rescoring"] is None
            else RescoringSettings.parse(content["rescoring"], f"{path}: rescoring"),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the model again") from None


def load_decoder(folder: Path, tokens: TokenTable, settings: BeamSettings) -> BeamDecoder:
    """Read the language model and the lexicon of a model folder, as far as it has them.

    Raises:
        ModelError: one of them is damaged.
    """
    language_model, words = folder / LANGUAGE_MODEL, folder / WORDS
    return BeamDecoder(
        tokens,
        settings,
        lexicon=read_lexicon(words, tokens) if words.exists() else None,
        language_model=language_model if language_model.exists() else None,
    )
