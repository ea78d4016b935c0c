"""`asr check`: the data doctor."""

import json as json_format
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import Device
from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.doctor.settings import Thresholds
    from asr.doctor.visit import Visit


class RankBy(StrEnum):
    """What transcripts are ranked by: the keys of `asr.doctor.suspects.MEASURES`."""

    EXCESS = "excess"
    LOSS = "loss"
    ALIGNMENT = "alignment"


def check(
    manifests: Annotated[
        list[Path],
        typer.Argument(help="JSON-lines manifests: train, dev and test in this order, or one."),
    ],
    normalizer: Annotated[
        str | None,
        typer.Option(help="Rule applied to the transcripts first: none or basic; else basic."),
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(help="Longer utterances count as unusable; else 40.", min=0.0),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Also check against this model, by its normaliser: characters it has no token "
            "for, transcripts that do not fit its frames, or are likely wrong."
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="With --model: where to compute.")] = Device.AUTO,
    rank_by: Annotated[
        RankBy | None,
        typer.Option(
            help="With --model: what puts transcripts in order: how much less probable they are "
            "than what is heard (excess, where nothing is said), loss a frame, or alignment."
        ),
    ] = None,
    lm: Annotated[
        Path | None,
        typer.Option(
            help="Name words that this model folder, ARPA file or list of words does not have."
        ),
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
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Where findings begin: min_seconds=0.05, clipped_share=0.01.",
            metavar="KEY=VALUE",
        ),
    ] = None,
) -> None:
    """Open every recording of MANIFESTS, read every transcript, and list what is wrong.

    Of several sets, what a later one shares with those before is leakage. The exit status is 2
    where something is unusable, and 0 where there is nothing or only what is reported.
    """
    from asr.doctor.page import write_page
    from asr.doctor.visit import Doctor, load_recognizer
    from asr.files import refuse_overlap, write_text

    refuse_overlap(manifests, [json, html, fix])
    _refuse_idle(
        [
            ("--remove", bool(remove) and fix is None, "--fix"),
            ("--force", force and fix is None, "--fix"),
            ("--rank-by", rank_by is not None and model is None, "--model"),
            ("--device", device is not Device.AUTO and model is None, "--model"),
        ]
    )
    if model is not None and normalizer is not None:
        raise ConfigError(
            f"--normalizer {normalizer}: came with --model, which has its own; expected one of "
            "them: leave --normalizer out"
        )
    if fix:
        _refuse_fix(fix, manifests, remove or [], force=force)
        given = {"--model": model is not None, "--lm": lm is not None}
        _refuse_unseen(remove or [], given)
    thresholds = _thresholds(settings or [], max_seconds)
    doctor = Doctor.prepare(
        thresholds,
        thresholds,
        normalizer=normalizer or "basic",
        lm=lm,
        recognizer=None if model is None else load_recognizer(model, device.value),
        rank_by=(rank_by or RankBy.EXCESS).value,
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
    if not visit.all_well(thresholds.max_bad_fraction):
        raise typer.Exit(2)


def _refuse_idle(options: list[tuple[str, bool, str]]) -> None:
    """Raise ConfigError for an option that would do nothing without another one."""
    for option, idle, other in options:
        if idle:
            raise ConfigError(
                f"{option}: came without {other}, and means nothing then; give {other}, too, or "
                "leave it out"
            )


def _refuse_fix(fix: Path, manifests: list[Path], remove: list[str], *, force: bool) -> None:
    """Raise ConfigError where --fix cannot do what is asked, before hours of listening."""
    from asr.doctor.cleaning import refuse_existing
    from asr.doctor.problems import ADVICE

    if len(manifests) > 1:
        raise ConfigError(
            f"--fix {fix}: {len(manifests)} manifests came; expected one, since one is written"
        )
    for problem in remove:
        if problem not in ADVICE:
            raise ConfigError(f"--remove {problem}: not a problem; there are: {', '.join(ADVICE)}")
    if not force:
        refuse_existing(fix)


def _refuse_unseen(remove: list[str], given: dict[str, bool]) -> None:
    """Raise ConfigError where --remove names what will not be found, or is not of one utterance."""
    from asr.doctor.problems import OF_SEVERAL, SEEN_WITH

    for problem in remove:
        if problem in OF_SEVERAL:
            raise ConfigError(
                f"--remove {problem}: several utterances share it, and which of them is to go is "
                "yours to say: take them out of the manifest by hand"
            )
        other = SEEN_WITH.get(problem)
        if other and not given[other]:
            raise ConfigError(f"--remove {problem}: found only with {other}; give that, too")


def _thresholds(settings: list[str], max_seconds: float | None) -> "Thresholds":
    from asr.doctor.settings import Thresholds
    from asr.recipe.overrides import Override

    given = {one.key: one.value for one in map(Override.parse, settings)}
    if max_seconds is not None and "max_seconds" in given:
        raise ConfigError(
            "--max-seconds and --set max_seconds say the same; expected one of them: leave one out"
        )
    given |= {} if max_seconds is None else {"max_seconds": max_seconds}
    return Thresholds.parse(given, "--set" if settings else "--max-seconds")


def _print(visit: "Visit", seconds: float) -> None:
    from asr.doctor.suspects import MEASURES
    from asr.doctor.terminal import print_report

    for error in visit.errors:
        print(f"asr: {error}", file=sys.stderr)
    for name, report in visit.reports.items():
        print_report(name, report)
    if visit.rankings:
        print(f"transcripts were ranked by {visit.ranked_by}: {MEASURES[visit.ranked_by].meaning}")
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
