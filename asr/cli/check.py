"""`asr check`: the data doctor."""

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.findings import CheckReport

_LISTED = 50  # findings of one manifest; more than that nobody reads on a terminal


def check(
    manifests: Annotated[list[Path], typer.Argument(help="JSON-lines manifests.")],
    normalizer: Annotated[
        str, typer.Option(help="Rule applied to the transcripts first: none or basic.")
    ] = "basic",
    max_seconds: Annotated[
        float, typer.Option(help="Longer utterances count as unusable.", min=0.0)
    ] = 40.0,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Also check against this model, by its normaliser: characters it has no token "
            "for, transcripts that do not fit its frames."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write all findings to this file.")] = None,
) -> None:
    """Open every recording of MANIFESTS, read every transcript, and list what cannot be used."""
    from asr.check import CheckSettings, check_manifest
    from asr.errors import DataError
    from asr.files import write_text
    from asr.manifest import read_manifest
    from asr.text import Normalizer

    rule, frames, characters = Normalizer(normalizer), None, None
    if model is not None:
        from asr.bundle import load_bundle

        bundle = load_bundle(model)
        rule, frames = bundle.normalizer, bundle.encoder_frames
        characters = set(bundle.tokens.symbols)
    settings = CheckSettings.parse({"max_seconds": max_seconds}, "asr check")
    reports = {}
    for path in manifests:
        try:
            utterances = read_manifest(path)
        except DataError as error:
            print(f"asr: {error}", file=sys.stderr)
            continue
        reports[str(path)] = check_manifest(
            utterances,
            settings,
            normalizer=rule,
            encoder_frames=frames,
            allowed_characters=characters,
        )
        _print_report(path, reports[str(path)])
    if json:
        data = {path: report.to_json() for path, report in reports.items()}
        write_text(json, json_format.dumps(data, indent=2, ensure_ascii=False) + "\n")
    if len(reports) < len(manifests) or any(report.unusable for report in reports.values()):
        raise typer.Exit(2)


def _print_report(path: Path, report: "CheckReport") -> None:
    print(f"{path}")
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
        _print_findings(report)


def _print_findings(report: "CheckReport") -> None:
    from rich.console import Console
    from rich.table import Table

    from asr.findings import ADVICE

    problems = Table("problem", "utterances", "what to do")
    for problem, count in report.counts.items():
        problems.add_row(problem, f"{count:,}", ADVICE[problem])
    listed = Table()
    for heading in ("id", "problem", "detail", "file"):
        listed.add_column(heading, overflow="fold")
    for finding in report.findings[:_LISTED]:
        note = " (still usable)" if finding.usable else ""
        listed.add_row(finding.id, finding.problem + note, finding.detail, str(finding.audio_path))
    width = None if sys.stdout.isatty() else 160
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.print(problems)
    console.print(listed)
    more = len(report.findings) - _LISTED
    if more > 0:
        print(f"  and {more:,} more findings; --json FILE writes all of them")
