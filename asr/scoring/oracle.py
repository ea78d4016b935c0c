"""Oracle error rate: of each n-best list, the text that comes nearest to the reference."""

from collections.abc import Mapping
from typing import Any

from asr.errors import DataError
from asr.scoring.error_rate import ErrorCounts, align_words_batch, sum_counts
from asr.text import Normalizer


def read_nbest(attributes: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, list[str]]:
    """The n-best lists of a hypothesis file, by utterance id; empty where it has none.

    A list stands under the key `nbest`: texts, or objects with a `text`.

    Raises:
        DataError: naming `name` and the utterance, for anything else.
    """
    return {
        key: [_text(entry, f"{name}, id '{key}'") for entry in _list(known["nbest"], name, key)]
        for key, known in attributes.items()
        if known.get("nbest") is not None
    }


def oracle_errors(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    nbest: Mapping[str, list[str]],
    *,
    normalizer: Normalizer,
) -> ErrorCounts:
    """Word errors with the best of each list; the hypothesis itself is one of its texts.

    Args:
        references: by utterance id.
        hypotheses: by utterance id.
        nbest: by utterance id; who has none keeps the hypothesis.
        normalizer: applied to all of them.
    """
    said, heard, owners = [], [], []
    for key, reference in references.items():
        text = normalizer(reference)
        for candidate in dict.fromkeys(map(normalizer, [hypotheses[key], *nbest.get(key, [])])):
            said.append(text)
            heard.append(candidate)
            owners.append(key)
    best: dict[str, ErrorCounts] = {}
    for key, alignment in zip(owners, align_words_batch(said, heard), strict=True):
        if key not in best or alignment.counts.errors < best[key].errors:
            best[key] = alignment.counts
    return sum_counts(best.values())


def _list(value: object, name: str, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(
            f"{name}, id '{key}': key 'nbest': {type(value).__name__} came; expected a list of "
            "texts, or of objects with a 'text'"
        )
    return value


def _text(entry: object, where: str) -> str:
    text = entry.get("text") if isinstance(entry, dict) else entry
    if not isinstance(text, str):
        raise DataError(
            f"{where}: key 'nbest': {entry!r} came; expected a text, or an object with a 'text'"
        )
    return text
