"""Error rates of parts of a test set: by speaker, duration, speaking rate, any key of the manifest.

Numbers are put into five bins of equally many utterances, unless there are few different ones.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.errors import ConfigError
from asr.scoring.bootstrap import Interval
from asr.scoring.scored import ScoredSet, ScoredUtterance, ScoreSummary, draw_intervals, summarize

_BINS = 5
_FEW_VALUES = 6  # as many different numbers get a slice each
_UNKNOWN = "(not known)"
_WORDS_PER_SECOND = "rate"
_USUAL = ("speaker", "duration", _WORDS_PER_SECOND, "snr")


@dataclass(frozen=True)
class Slice:
    """Some utterances of a test set, and their errors."""

    label: str
    summary: ScoreSummary
    interval: Interval  # 95 %, of the word error rate

    def to_json(self) -> dict[str, Any]:
        """Plain data, rates as fractions of 1."""
        interval = {"word_error_rate": list(self.interval)}
        return {"label": self.label, **self.summary.to_json(), "intervals": interval}


def slice_set(scored: ScoredSet, values: Mapping[str, Any]) -> list[Slice]:
    """Cut a scored set by a value of each utterance.

    Args:
        scored: the set.
        values: by utterance id; numbers are binned, anything else is taken as it is written. Those
            without a value, or with None, come last as a slice of their own.

    Returns:
        Slices in the order of the numbers; of other values, the highest word error rate first.
    """
    known = {key: value for key, value in values.items() if not _is_unknown(value)}
    numeric = all(_is_number(value) for value in known.values())
    labels = _bin_labels(known) if numeric else {key: _show(value) for key, value in known.items()}
    groups: dict[str, list[ScoredUtterance]] = defaultdict(list)
    for utterance in scored.utterances:
        groups[labels.get(utterance.id, _UNKNOWN)].append(utterance)
    slices = [
        Slice(label, summarize(group), draw_intervals(group, scored.bootstrap).words)
        for label, group in groups.items()
    ]
    if numeric:
        place = {label: number for number, label in enumerate(dict.fromkeys(labels.values()))}
        return sorted(slices, key=lambda one: place.get(one.label, len(place)))
    return sorted(
        slices, key=lambda one: (one.label == _UNKNOWN, -one.summary.words.rate, one.label)
    )


def usual_slices(
    scored: ScoredSet, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Slice]]:
    """Slices by speaker, duration, speaking rate and SNR, as far as they are known and differ."""
    found = {}
    for key in _USUAL:
        try:
            slices = slice_set(scored, slice_values(scored, key, attributes))
        except ConfigError:  # not known
            continue
        if len(slices) > 1:
            found[key] = slices
    return found


def slice_values(
    scored: ScoredSet, key: str, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The value of each utterance that `--by KEY` cuts by.

    `rate` is reference words a second where the manifest has no such key; any other key is the
    manifest's.

    Raises:
        ConfigError: no utterance has the key; names those there are.
    """
    values = {one.id: attributes.get(one.id, {}).get(key) for one in scored.utterances}
    if key == _WORDS_PER_SECOND and not _known(values):
        values = {one.id: _words_per_second(one, attributes) for one in scored.utterances}
    if not _known(values):
        keys = {
            name
            for known in attributes.values()
            for name, value in known.items()
            if isinstance(value, str | int | float)
        }
        listed = ", ".join(sorted(keys)) or "none: it is no manifest"
        raise ConfigError(f"--by {key}: no reference says it; the references have {listed}")
    return values


def _known(values: Mapping[str, Any]) -> bool:
    return not all(map(_is_unknown, values.values()))


def _words_per_second(
    utterance: ScoredUtterance, attributes: Mapping[str, Mapping[str, Any]]
) -> float | None:
    seconds = attributes.get(utterance.id, {}).get("duration")
    return utterance.words.reference_length / seconds if seconds else None


def _is_unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bin_labels(values: Mapping[str, float]) -> dict[str, str]:
    """Label each number with its bin, bins in rising order."""
    ordered = dict(sorted(values.items(), key=lambda item: item[1]))
    different = sorted(set(ordered.values()))
    if len(different) <= _FEW_VALUES:
        return {key: _exact(value) for key, value in ordered.items()}
    numbers = np.array(list(ordered.values()))
    inner = np.quantile(numbers, np.arange(1, _BINS) / _BINS)
    bins: Sequence[int] = np.searchsorted(inner, numbers, side="left").tolist()
    ends = {
        one: (numbers[np.equal(bins, one)].min(), numbers[np.equal(bins, one)].max())
        for one in set(bins)
    }
    named = {one: f"{low:.4g} to {high:.4g}" for one, (low, high) in ends.items()}
    if len(set(named.values())) < len(named) or numbers.dtype.kind == "i":
        named = {one: f"{_exact(low)} to {_exact(high)}" for one, (low, high) in ends.items()}
    return {key: named[one] for key, one in zip(ordered, bins, strict=True)}


def _exact(value: float) -> str:
    """12.0 -> "12", 0.1 -> "0.1": as many digits as the number has."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
