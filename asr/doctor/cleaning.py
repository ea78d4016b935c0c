"""A manifest without what cannot be used, and a list of what that was; no recording is touched."""

import json
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr.doctor.findings import CheckReport, Finding
from asr.errors import ConfigError, DataError
from asr.files import write_text
from asr.manifest import write_manifest


@dataclass(frozen=True)
class Cleaned:
    """What became of a manifest."""

    kept: int
    removed: int
    list_of_removed: Path


def removed_path(output: Path) -> Path:
    """Where what was removed is listed: OUT.jsonl -> OUT.removed.jsonl."""
    return output.with_name(f"{output.stem}.removed.jsonl")


def refuse_existing(output: Path) -> None:
    """Raise ConfigError where a file would be overwritten."""
    for path in (output, removed_path(output)):
        if path.exists():
            raise ConfigError(
                f"--fix {output}: {path} is there already; give another name, move it away, or "
                "let it be overwritten by --force"
            )


def write_cleaned(output: Path, report: CheckReport, remove: Set[str]) -> Cleaned:
    """Write the utterances that can be used, and list the others with the reasons.

    Args:
        output: the new manifest; the list stands beside it (`removed_path`).
        report: on the manifest. Of an id that was given twice the first utterance is kept.
        remove: problems for which utterances are removed too though they can be used.

    Raises:
        DataError: nothing is left.
    """
    reasons: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        if not finding.usable or finding.problem in remove:
            reasons[finding.id].append(finding)
    unusable = set(map(id, report.unusable))
    kept, removed = [], []
    lines: list[dict[str, Any]] = []
    for one in report.examined:
        utterance = one.utterance
        found = reasons[utterance.id]
        # Of an id that was given twice nobody can tell whose findings these are: the first stays.
        twice = any(finding.problem == "duplicate-id" for finding in found)
        wanted = not twice and any(finding.usable for finding in found)
        if id(utterance) in unusable or wanted:
            why = [_reason(finding) for finding in found]
            removed.append(replace(utterance, extra={**utterance.extra, "removed": why}))
        else:
            kept.append(utterance)
    known = {one.utterance.id for one in report.examined}
    for name, found in reasons.items():
        if name not in known:
            lines.append({"line": name, "removed": [_reason(finding) for finding in found]})
    if not kept:
        raise DataError(f"--fix {output}: no utterance is left; nothing was written")
    path = removed_path(output)
    write_manifest(path, removed)
    if lines:
        listed = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_text(path, path.read_text(encoding="utf-8") + listed)
    write_manifest(output, kept)
    return Cleaned(len(kept), len(removed) + len(lines), path)


def _reason(finding: Finding) -> dict[str, str]:
    return {"problem": finding.problem, "detail": finding.detail}
