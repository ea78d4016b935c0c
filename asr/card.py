"""The card of a model: what a recipe's author says of it, and what was measured."""

from collections.abc import Mapping
from typing import Any

from asr.errors import ModelError
from asr.settings import Settings


class CardSettings(Settings):
    """What people should know of a model that they have not trained themselves."""

    title: str | None = None  # what the model is called
    language: str | None = None  # BCP 47, as en or de-AT
    licence: str | None = None  # of the weights
    attribution: str | None = None  # whom to name, and how
    data: tuple[str, ...] = ()  # corpora it was trained on, each with its licence
    limits: tuple[str, ...] = ()  # what it is not good at
    command: str | None = None  # that trains it

    def to_json(self) -> dict[str, Any]:
        """What was said, as plain data."""
        return {key: value for key, value in self.model_dump(mode="json").items() if value}


def card_rows(card: Mapping[str, Any], weights: str) -> list[tuple[str, str]]:
    """A card as lines of a name and a text, the author's words first.

    Args:
        card: of a model folder.
        weights: how its weights are stored.

    Raises:
        ModelError: its figures are not what tuning writes.
    """
    rest = dict(card)
    rows: list[tuple[str, str]] = []
    for key in CardSettings.model_fields:
        value = rest.pop(key, None)
        texts = value if isinstance(value, list | tuple) else [value]
        rows += [(key if place == 0 else "", str(text)) for place, text in enumerate(texts) if text]
    try:
        rows += _measured(rest, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the model's card: its figures cannot be read ({error!r}); copy the model again"
        ) from None
    for key, value in rest.items():
        words = f"{value:.4g}" if isinstance(value, float) else str(value)
        rows.append((key.replace("_", " "), words))
    return [(_printable(name), _printable(text)) for name, text in rows]


def _printable(text: str) -> str:
    """A text that a stranger may have written, without what would command a terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _measured(rest: dict[str, Any], weights: str) -> list[tuple[str, str]]:
    """Take the figures of the development set out of a card, in words."""
    dev, speed = rest.pop("dev", None), rest.pop("real_time_factor", None)
    error, measured = rest.pop("calibration_error", None), rest.pop("measured_with", weights)
    rows: list[tuple[str, str]] = []
    if isinstance(dev, Mapping):
        rest.pop("dev_wer", None)
        rest.pop("dev_cer", None)
        rows.append(("dev", f"{dev['utterances']:,} utterances, {dev['words']:,} words"))
        rows += [(f"dev, {mode}", _rates(found)) for mode, found in dev["modes"].items()]
    elif isinstance(rest.get("dev_wer"), float):
        wer, cer = rest.pop("dev_wer"), rest.pop("dev_cer", None)
        words = f"WER {_percent(wer)}" + ("" if cer is None else f", CER {_percent(cer)}")
        rows.append(("dev, greedy", words))
    if rows and measured != weights:
        rows.append(("", f"(measured with weights in {measured}, before they were made smaller)"))
    if isinstance(speed, Mapping):
        modes = ", ".join(f"{mode} {value:.3g}" for mode, value in speed["modes"].items())
        rows.append(("real-time factor", f"{modes}, on {speed['on']}"))
    if isinstance(error, float):
        rows.append(("confidences", f"off by {error:.3f} on dev (expected calibration error)"))
    return rows


def _rates(found: Mapping[str, Any]) -> str:
    parts = []
    for name in ("wer", "cer"):
        low, high = found[f"{name}_interval"]
        parts.append(
            f"{name.upper()} {_percent(found[name])} ({100 * low:.2f} to {100 * high:.2f})"
        )
    return ", ".join(parts)


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
