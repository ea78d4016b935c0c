"""Whether a language model writes as the model does: letters, case and accents."""

import sys
from collections.abc import Sequence
from pathlib import Path

from asr.decoding.beam import BeamDecoder
from asr.decoding.folder import WORDS
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.decoding.lexicon import read_words
from asr.lm.packed import read_packed
from asr.lm.text import SPECIAL
from asr.tokens import TokenTable

_ADVICE = "if case or accents differ, normalise the text of the language model (`--normalizer`)"
_SHOWN = 3


def warn_of_spelling(folder: Path, decoder: BeamDecoder, tokens: TokenTable) -> None:
    """Say on stderr where a language model does not write as the model does.

    Args:
        folder: with the language model and the lexicon.
        decoder: made of them.
        tokens: of the model.

    Raises:
        ModelError: the folder is damaged.
    """
    warning = None
    if decoder.lexicon is not None:
        words = read_words(folder / WORDS)
        missing = [word for word in words if word not in decoder.lexicon]
        warning = _of(
            missing, words, "words of the lexicon cannot be spelled with the model's tokens"
        )
    elif decoder.has_language_model:
        known = set(read_packed(folder / LANGUAGE_MODEL).words[len(SPECIAL) :])
        names = ["|" if symbol == " " else symbol for symbol in tokens.symbols[1:]]
        missing = [name for name in names if name not in known]
        warning = _of(missing, names, "tokens of the model are unknown to the language model")
    if warning:
        print(f"    warning: {warning}", file=sys.stderr, flush=True)


def _of(missing: Sequence[str], everything: Sequence[str], what: str) -> str | None:
    if not missing:
        return None
    examples = ", ".join(missing[:_SHOWN])
    return f"{len(missing):,} of {len(everything):,} {what} ({examples}); {_ADVICE}"
