"""The rows of the report's table of utterances, as the page's script takes them."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from asr.scoring.error_rate import Alignment, EditKind
from asr.scoring.scored import ScoredSet
from asr.text import Normalizer

_LETTERS: Mapping[EditKind, str] = {
    "equal": "=",
    "substitute": "S",
    "delete": "D",
    "insert": "I",
}


def utterance_columns(
    scored: ScoredSet,
    confidences: Mapping[str, Sequence[float]],
    recordings: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The utterances of a set as columns, which are half as long as objects that name their keys.

    Args:
        scored: the set.
        confidences: of the recognised words, by utterance id, where they are known.
        recordings: addresses for players, by utterance id.
        seconds: lengths of the recordings, by utterance id.

    Returns:
        Lists of one value an utterance: id, speaker, seconds, said and heard (words with a space
        between them; heard is null where it is the same), edits (letters `=SDI`, one a column of
        the alignment), confidences (percent), recording (what follows the common `start`).
    """
    utterances = scored.utterances
    start = _common_start(recordings.values())
    return {
        "id": [one.id for one in utterances],
        "speaker": [one.speaker for one in utterances],
        "seconds": [_rounded(seconds.get(one.id)) for one in utterances],
        "said": [_side(one.alignment, "reference") for one in utterances],
        "heard": [
            _side(one.alignment, "hypothesis") if one.words.errors else None for one in utterances
        ],
        "edits": [
            "".join(_LETTERS[edit.kind] for edit in one.alignment.edits) for one in utterances
        ],
        "confidences": [
            [round(100 * one) for one in confidences[key]] if key in confidences else None
            for key in (one.id for one in utterances)
        ],
        "start": start,
        "recording": [
            recordings[one.id][len(start) :] if one.id in recordings else None for one in utterances
        ],
    }


def word_confidences(
    scored: ScoredSet, attributes: Mapping[str, Mapping[str, Any]], normalizer: Normalizer
) -> dict[str, list[float]]:
    """How sure a system was of each word that it is scored by.

    A hypothesis whose words are not those of its text, or have no confidences, is left out.

    Args:
        scored: the system's scores.
        attributes: of its hypotheses, by utterance id; those with the key `words` have confidences.
        normalizer: what the words underwent.
    """
    found = {}
    for utterance in scored.utterances:
        words = attributes.get(utterance.id, {}).get("words")
        given = _confidences(words, normalizer) if isinstance(words, list) else None
        heard = _side(utterance.alignment, "hypothesis").split()
        if given and [word for word, _ in given] == heard:
            found[utterance.id] = [confidence for _, confidence in given]
    return found


def choose_utterances(scored: ScoredSet, count: int) -> list[str]:
    """Ids of utterances to look at: those with the most errors, and some of the others.

    Three of four are the worst, the rest are spread evenly over all that remain, from bad to good.
    """
    ranked = [utterance.id for utterance in scored.most_errors_first]
    worst = ranked[: count - count // 4]
    others, wanted = ranked[len(worst) :], min(count, len(ranked)) - len(worst)
    step = len(others) / max(wanted, 1)
    return worst + [others[int((number + 0.5) * step)] for number in range(wanted)]


def _common_start(texts: Collection[str]) -> str:
    """What all texts begin with: all that lies between the least and the greatest of them does."""
    least, greatest = min(texts, default=""), max(texts, default="")
    same = (left == right for left, right in zip(least, greatest, strict=False))
    return least[: next((place for place, equal in enumerate(same) if not equal), len(least))]


def _side(alignment: Alignment, side: str) -> str:
    units = (getattr(edit, side) for edit in alignment.edits)
    return " ".join(unit for unit in units if unit is not None)


def _confidences(words: list[Any], normalizer: Normalizer) -> list[tuple[str, float]] | None:
    """Normalised words and their confidences; None where one has no text or no confidence."""
    found = []
    for word in words:
        text = word.get("text") if isinstance(word, dict) else None
        confidence = word.get("confidence") if isinstance(word, dict) else None
        if not isinstance(text, str) or not isinstance(confidence, int | float):
            return None
        if not math.isfinite(confidence):
            return None
        # A rule may make two words of one ("it's"): they share its confidence.
        sure = min(max(float(confidence), 0.0), 1.0)
        found += [(part, sure) for part in normalizer(text).split()]
    return found


def _rounded(seconds: float | None) -> float | None:
    return None if not seconds else round(seconds, 2)
