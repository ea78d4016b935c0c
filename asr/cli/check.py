"""`asr check`: the data doctor."""

import json as json_format
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import Device, DeviceOption

if TYPE_CHECKING:
    from asr.doctor.settings import Limits
    from asr.doctor.visit import Visit


def check(
    manifests: Annotated[
        list[Path],
        typer.Argument(help="JSON-lines manifests: train, dev and test in this order, or one."),
    ],
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
            "for, transcripts that do not fit its frames, or are likely wrong."
        ),
    ] = None,
    device: DeviceOption = Device.AUTO,
    lm: Annotated[
        Path | None,
        typer.Option(help="Name words that are not in this ARPA file or list of words."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write all findings to this file.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page of all findings, with players.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            help="Write a manifest without what is unusable, and OUT.removed.jsonl with the rest.",
            metavar="OUT.jsonl",
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="With --fix: remove what has this problem too.", metavar="PROBLEM"),
    ] = None,
    force: Annotated[bool, typer.Option(help="With --fix: overwrite files.")] = False,
    limits: Annotated[
        list[str] | None,
        typer.Option("--set", help="Where findings begin.", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Open every recording of MANIFESTS, read every transcript, and list what is wrong.

    Of several sets, what a later one shares with those before is leakage.
    """
    from asr.doctor.page import write_page
    from asr.doctor.settings import CheckSettings
    from asr.doctor.visit import Doctor, load_recognizer
    from asr.files import write_text

    _refuse_contradictions(manifests, [json, html, fix])
    if fix:
        _refuse_fix(fix, manifests, remove or [], force=force)
    doctor = Doctor.prepare(
        CheckSettings.parse({"max_seconds": max_seconds}, "asr check"),
        _limits(limits or []),
        normalizer=normalizer,
        lm=lm,
        recognizer=None if model is None else load_recognizer(model, device.value),
    )
    started = time.monotonic()
    visit = doctor.visit(manifests)
    _print(visit, time.monotonic() - started)
    if json:
        write_text(json, json_format.dumps(visit.to_json(), indent=2, ensure_ascii=False) + "\n")
    if html:
        write_page(html, visit.reports)
        print(f"asr: {html}: all findings, with players", file=sys.stderr)
    if fix and visit.reports:
        _clean(fix, visit, remove or [])
    if not visit.all_well:
        raise typer.Exit(2)


def _refuse_contradictions(manifests: list[Path], outputs: list[Path | None]) -> None:
    """Raise ConfigError where one file would be two things."""
    from asr.errors import ConfigError

    taken = {path.resolve() for path in manifests}
    for path in outputs:
        if path is not None and path.resolve() in taken:
            raise ConfigError(f"{path}: this file is given for two things; give it another name")
        if path is not None:
            taken.add(path.resolve())


def _refuse_fix(fix: Path, manifests: list[Path], remove: list[str], *, force: bool) -> None:
    """Raise ConfigError where --fix cannot do what is asked, before hours of listening."""
    from asr.doctor.cleaning import refuse_existing
    from asr.doctor.problems import ADVICE
    from asr.errors import ConfigError

    if len(manifests) > 1:
        raise ConfigError(
            f"--fix {fix}: {len(manifests)} manifests came; expected one, since one is written"
        )
    for problem in remove:
        if problem not in ADVICE:
            raise ConfigError(f"--remove {problem}: not a problem; there are: {', '.join(ADVICE)}")
    if not force:
        refuse_existing(fix)


def _limits(settings: list[str]) -> "Limits":
    from asr.doctor.settings import Limits
    from asr.recipe.overrides import Override

    given = {one.key: one.value for one in map(Override.parse, settings)}
    return Limits.parse(given, "--set")


def _print(visit: "Visit", seconds: float) -> None:
    from asr.doctor.terminal import print_report

    for error in visit.errors:
        print(f"asr: {error}", file=sys.stderr)
    for name, report in visit.reports.items():
        print_report(name, report)
    hours, minutes = visit.hours_opened, seconds / 60
    print(
        f"asr: {hours:.2f} hours of audio in {seconds:.1f} s: {hours / minutes:.1f} hours a minute",
        file=sys.stderr,
    )


def _clean(fix: Path, visit: "Visit", remove: list[str]) -> None:
    from asr.doctor.cleaning import write_cleaned

    (report,) = visit.reports.values()
    cleaned = write_cleaned(fix, report, set(remove))
    print(
        f"asr: {fix}: {cleaned.kept} utterances; {cleaned.removed} were left out, listed in "
        f"{cleaned.list_of_removed}; recordings stay where they are",
        file=sys.stderr,
    )
