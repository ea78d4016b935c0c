"""The report on one manifest, for a terminal."""

import sys
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from asr.doctor.findings import CheckReport, Finding
from asr.doctor.problems import ADVICE, Problem

_EXAMPLES = 3
_LONGEST = 110  # characters of an example


def print_report(name: str, report: CheckReport) -> None:
    """Print statistics, and one row a problem: how many, which, and what to do."""
    print(name)
    print(
        f"  {len(report.utterances):,} utterances, {len(report.unusable):,} of them unusable; "
        f"{report.hours:.2f} hours; {len(report.speakers):,} speakers"
    )
    if report.characters_per_second:
        low, middle, high = report.characters_per_second
        print(f"  characters per second: {low:.1f} to {high:.1f}, median {middle:.1f}")
    used = "  ".join(
        f"{'space' if character == ' ' else character} {count:,}"
        for character, count in report.characters.most_common()
    )
    print(f"  {len(report.characters)} characters used: {used}")
    if report.findings:
        _print_problems(report)


def _print_problems(report: CheckReport) -> None:
    found: defaultdict[Problem, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        found[finding.problem].append(finding)
    table = Table("problem", "count", "severity", "examples", "what to do", show_lines=True)
    for column in table.columns:
        column.overflow = "fold"
    # What cannot be used first, then what there is most of.
    ranked = sorted(found.items(), key=lambda item: (item[1][0].usable, -len(item[1])))
    for problem, findings in ranked:
        severity = "reported" if findings[0].usable else "unusable"
        table.add_row(problem, f"{len(findings):,}", severity, _examples(findings), ADVICE[problem])
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _examples(findings: list[Finding]) -> str:
    lines = []
    for finding in findings[:_EXAMPLES]:
        words = f"{finding.id}: {finding.detail}"
        lines.append(words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…")
    more = len(findings) - _EXAMPLES
    return "\n".join([*lines, f"and {more:,} more"] if more > 0 else lines)
