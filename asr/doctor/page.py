"""The findings as one HTML page: searched, filtered, and heard, with recordings by reference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr.doctor.findings import CheckReport, Finding
from asr.doctor.problems import ADVICE
from asr.files import write_text
from asr.manifest import Utterance
from asr.pages import refer_to_recording, render_page

_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(path: Path, reports: Mapping[str, CheckReport]) -> None:
    """Write what was found in several sets.

    Args:
        path: of the page. Recordings are named relative to its folder and stay where they are.
        reports: by the names of the sets.
    """
    rows = [row for name, report in reports.items() for row in _rows(name, report, path.parent)]
    rows.sort(key=lambda row: bool(row["usable"]))
    write_text(path, render_page(_TEMPLATE, {"sets": _sets(reports), "rows": rows, **_kinds(rows)}))


def _sets(reports: Mapping[str, CheckReport]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "utterances": f"{len(report.utterances):,}",
            "unusable": f"{len(report.unusable):,}",
            "hours": f"{report.hours:.2f}",
            "speakers": f"{len(report.speakers):,}",
            "rate": _rate(report),
            "characters": _characters(report),
        }
        for name, report in reports.items()
    ]


def _rate(report: CheckReport) -> str:
    if report.characters_per_second is None:
        return "-"
    low, middle, high = report.characters_per_second
    return f"{low:.1f} to {high:.1f}, median {middle:.1f}"


def _characters(report: CheckReport) -> list[dict[str, Any]]:
    """The balance of characters, the most frequent first, with bars of percent of that one."""
    total, most = report.characters.total(), max(report.characters.values(), default=1)
    return [
        {
            "symbol": "space" if symbol == " " else symbol,
            "count": f"{count:,}",
            "share": f"{100 * count / total:.2f} %",
            "bar": round(100 * count / most, 1),
        }
        for symbol, count in report.characters.most_common()
    ]


def _rows(name: str, report: CheckReport, folder: Path) -> list[dict[str, Any]]:
    utterances: dict[str, Utterance] = {one.id: one for one in report.utterances}
    return [_row(name, one, utterances.get(one.id), folder) for one in report.findings]


def _row(name: str, finding: Finding, utterance: Utterance | None, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "set": name,
        "problem": finding.problem,
        "id": finding.id,
        "detail": finding.detail,
        "number": plain(finding.number),
        "threshold": plain(finding.threshold),
        "usable": finding.usable,
        "text": (utterance.text if utterance else None) or "",
        "file": "" if finding.audio_path is None else str(finding.audio_path),
        "source": "",
    }
    if finding.audio_path is not None and utterance is not None:
        row["source"] = refer_to_recording(
            finding.audio_path, folder, offset=utterance.offset, duration=utterance.duration
        )
    return row


def plain(number: float | None) -> str:
    """A number for people: 16000 -> "16,000", 0.0012345 -> "0.001235"; "" of none."""
    if number is None:
        return ""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:.4g}"


def _kinds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One line a problem, what is left out first, then by number."""
    counts: dict[tuple[bool, str], int] = {}
    for row in rows:
        key = (row["usable"], row["problem"])
        counts[key] = counts.get(key, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    advice: dict[str, str] = dict(ADVICE)  # type: ignore[arg-type]
    kinds = [
        {
            "name": name,
            "severity": "reported" if usable else "unusable",
            "count": f"{count:,}",
            "advice": advice[name],
        }
        for (usable, name), count in ranked
    ]
    return {"kinds": kinds, "total": f"{len(rows):,}"}
