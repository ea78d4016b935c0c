"""training.html: how a training goes, as one page that needs no network and no other file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from asr.files import write_text
from asr.pages import render_page
from asr.settings import flatten
from asr.training.advice import Episode
from asr.training.charts import Record, charts
from asr.training.plot import draw
from asr.training.schedule import badness, ended_early

PAGE = "training.html"
_TEMPLATE = "page.html"


@dataclass(frozen=True)
class SampleHistory:
    """One dev utterance, and what was recognised in it from epoch to epoch."""

    id: str
    reference: str
    rows: tuple[tuple[str, str], ...]  # epochs ("7" or "3 to 6") and hypothesis, the latest first


def write_page(
    path: Path,
    records: Sequence[Record],
    *,
    episodes: Sequence[Episode],
    settings: Mapping[str, Any],
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the page.
        records: of all epochs so far, one at least.
        episodes: what stood out in them.
        settings: of the run, sections within sections; `training` among them.
    """
    flat = flatten(settings)
    drawn = charts(records, clip_norm=flat["training.optimizer.clip_norm"])
    values = {
        "now": records[-1],
        "epochs": flat["training.epochs"],
        "facts": _facts(records, flat["training.epochs"], flat.get("training.patience")),
        "episodes": sorted(episodes, key=lambda one: (-one.last, -one.first)),
        # Markup of our own; `draw` has escaped what is not.
        "charts": [(chart, Markup(draw(chart))) for chart in drawn],
        "samples": sample_histories(records),
        "settings": flat,
    }
    page = render_page(Path(__file__).with_name(_TEMPLATE), values)
    write_text(path, page)


def sample_histories(records: Sequence[Record]) -> list[SampleHistory]:
    """What was recognised in each sample, equal neighbours joined, the latest epoch first."""
    said: dict[str, str] = {}
    heard: dict[str, list[tuple[int, str]]] = {}
    for record in reversed(records):
        for sample in record.get("samples", []):
            said.setdefault(sample["id"], sample["reference"])
            heard.setdefault(sample["id"], []).append((record["epoch"], sample["hypothesis"]))
    return [SampleHistory(name, text, _joined(heard[name])) for name, text in said.items()]


def _joined(heard: Sequence[tuple[int, str]]) -> tuple[tuple[str, str], ...]:
    rows = []
    for hypothesis, group in groupby(heard, key=lambda pair: pair[1]):
        epochs = [epoch for epoch, _ in group]
        first, last = epochs[-1], epochs[0]
        rows.append((f"{first}" if first == last else f"{first} to {last}", hypothesis))
    return tuple(rows)


def _facts(records: Sequence[Record], epochs: int, patience: int | None) -> dict[str, str]:
    now = records[-1]
    best = min(records, key=lambda one: (one["dev_wer"], one["dev_cer"], -one["epoch"]))
    minutes = now["seconds"] / 60
    ended = ended_early([badness(one) for one in records], patience)
    left = 0.0 if ended else (epochs - now["epoch"]) * minutes / max(1, now["epoch"])
    skipped = sum(record.get("skipped_steps", 0) for record in records)
    facts = {
        "best dev WER": f"{best['dev_wer']:.2%} (CER {best['dev_cer']:.2%}), epoch {best['epoch']}",
        "latest": f"loss {now['loss']:.3f}, dev loss {now['dev_loss']:.3f}, "
        f"WER {now['dev_wer']:.2%}, CER {now['dev_cer']:.2%}",
        "steps": f"{now['step']:,}" + (f", {skipped} of them left out" if skipped else ""),
        "time": f"{minutes:.0f} min" + (f", about {left:.0f} min left" if left else ""),
        "speed": f"{now['speed']:.0f} times real time, evaluation included",
    }
    if ended:
        facts["ended early"] = f"nothing better on dev for {patience} epochs (training.patience)"
    infinite = {name for record in records for name in record.get("infinite_losses", {})}
    if infinite:
        facts["infinite losses"] = ", ".join(sorted(infinite))
    return facts
