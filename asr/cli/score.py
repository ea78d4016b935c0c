"""`asr score`: compare hypotheses with references, and systems with each other."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.scoring.analysis import Analysis
    from asr.scoring.comparison import Comparison
    from asr.scoring.test_set import TestSet
    from asr.text import Normalizer


class MissingHypotheses(StrEnum):
    """What a missing hypothesis is."""

    ERROR = "error"
    COUNT = "count"


_Reference = Annotated[
    Path,
    typer.Argument(help="What was said: a manifest, lines of 'id text', .trn, or .stm."),
]
_Hypotheses = Annotated[
    list[Path],
    typer.Argument(
        metavar="HYPOTHESIS [HYPOTHESIS]",
        help="What was recognised, in any of these forms or as .ctm; two systems are compared.",
    ),
]
_Normalizer = Annotated[
    str, typer.Option(help="Rule applied to both sides first: none, basic, or Whisper's english.")
]
_Parallel = Annotated[
    bool, typer.Option("--parallel", help="The files are plain lines without ids, in one order.")
]
_Missing = Annotated[
    MissingHypotheses,
    typer.Option(help="A missing hypothesis is an error, or counts as deleted words."),
]
_Speakers = Annotated[
    Path | None, typer.Option(help="Lines of 'id speaker', where the references do not say it.")
]
_By = Annotated[
    str,
    typer.Option(
        metavar="KEY,KEY,…",
        help="Rates by speaker, duration, rate (words a second), snr, or any key of the manifest.",
    ),
]
_Vocabulary = Annotated[
    Path | None, typer.Option(help="A word a line: rates of the words in it and of the others.")
]
_Errors = Annotated[
    int, typer.Option(metavar="N", min=0, help="Print the N most frequent errors of each kind.")
]
_ShowNormalised = Annotated[
    bool, typer.Option("--show-normalised", help="Print what the normaliser changes.")
]
_Seed = Annotated[int, typer.Option(min=0, help="Of the bootstrap's draws.")]
_Resamples = Annotated[int, typer.Option(min=100, help="Of the bootstrap.")]
_Json = Annotated[Path | None, typer.Option(help="Also write all results to this file.")]
_Html = Annotated[
    Path | None, typer.Option(help="Also write a page with every alignment to this file.")
]
_Trn = Annotated[
    Path | None,
    typer.Option(help="Also write PREFIX.ref.trn and PREFIX.hyp.trn (two: .hyp1.trn, .hyp2.trn)."),
]
_Pra = Annotated[Path | None, typer.Option(help="Also write every alignment as text, as sclite.")]
_Ctm = Annotated[Path | None, typer.Option(help="Also write the recognised words with times.")]


def score(
    reference: _Reference,
    hypotheses: _Hypotheses,
    *,
    normalizer: _Normalizer = "basic",
    parallel: _Parallel = False,
    missing: _Missing = MissingHypotheses.ERROR,
    speakers: _Speakers = None,
    by: _By = "",
    vocabulary: _Vocabulary = None,
    errors: _Errors = 0,
    show_normalised: _ShowNormalised = False,
    seed: _Seed = 1,
    resamples: _Resamples = 1000,
    json: _Json = None,
    html: _Html = None,
    trn: _Trn = None,
    pra: _Pra = None,
    ctm: _Ctm = None,
) -> None:
    """Print the word and character error rates of hypotheses, with 95 % intervals.

    Two hypotheses are compared: by how much one is better, and how sure that is.
    """
    from asr.scoring.analysis import Questions, analyse, read_vocabulary
    from asr.scoring.bootstrap import Bootstrap
    from asr.scoring.comparison import compare
    from asr.scoring.report import write_json, write_report
    from asr.scoring.test_set import read_test_set, with_speakers
    from asr.text import Normalizer

    _refuse(hypotheses, pra, ctm)
    rule = Normalizer.for_scoring(normalizer)
    test_set = read_test_set(reference, hypotheses, parallel=parallel, missing=missing.value)
    if speakers is not None:
        test_set = with_speakers(test_set, speakers)
    keys = tuple(dict.fromkeys(key.strip() for key in by.split(",") if key.strip()))
    test_set = _with_snr(test_set, reference) if "snr" in keys else test_set
    questions = Questions(
        Bootstrap(resamples, seed),
        keys,
        None if vocabulary is None else read_vocabulary(vocabulary, rule),
    )
    analyses = [
        analyse(test_set, system, normalizer=rule, questions=questions)
        for system in test_set.systems
    ]
    comparison = compare(*(one.scored for one in analyses)) if len(analyses) == 2 else None
    for notice in test_set.notices:
        typer.echo(f"asr: {notice}", err=True)
    if show_normalised:
        _show_normalised(test_set, rule)
    _print(analyses, comparison, errors)
    if json:
        write_json(json, analyses, comparison=comparison)
    if html:
        facts = {"reference": str(reference), "hypotheses": ", ".join(map(str, hypotheses))}
        names = ", ".join(system.name for system in test_set.systems)
        sets = [one.scored for one in analyses]
        write_report(html, sets, title=f"Scores of {names}", facts=facts)
    _write_sclite(test_set, analyses, rule, trn=trn, pra=pra, ctm=ctm)


def _refuse(hypotheses: Sequence[Path], pra: Path | None, ctm: Path | None) -> None:
    """Raise ConfigError where the options contradict each other."""
    if len(hypotheses) > 2:
        raise ConfigError(f"{len(hypotheses)} hypotheses came; expected one, or two to compare")
    if len(hypotheses) == 2 and hypotheses[0] == hypotheses[1]:
        raise ConfigError(f"{hypotheses[0]}: came twice; expected two systems to compare")
    if len(hypotheses) == 2 and (pra or ctm):
        raise ConfigError("--pra and --ctm write one system; give one hypothesis with them")


def _print(analyses: "Sequence[Analysis]", comparison: "Comparison | None", errors: int) -> None:
    from asr.scoring.tables import (
        print_comparison,
        print_confusions,
        print_oracle,
        print_slices,
        print_table,
        print_vocabulary,
    )

    print_table([one.scored.to_json() for one in analyses])
    for one in analyses:
        if len(analyses) > 1 and (one.slices or one.vocabulary or errors):
            print(f"{one.scored.name}:")
        for key, slices in one.slices.items():
            print_slices(key, slices)
        if one.vocabulary:
            print_vocabulary(one.vocabulary)
        if one.oracle:
            print_oracle(one.scored.name, one.oracle)
        if errors:
            print_confusions(one.confusions, errors)
    scored = analyses[0].scored
    print(f"normalizer: {scored.normalizer}, applied to both sides")
    if scored.emptied_references:
        print(
            f"{scored.emptied_references} references were not empty and became so under it; "
            "whatever was recognised there counts as inserted"
        )
    drawn, units = scored.bootstrap, scored.intervals.units
    rough = ", which are few: take it as rough" if units.few else ""
    print(
        f"95 %: percentile bootstrap over {units}{rough}; "
        f"{drawn.resamples:,} resamples, seed {drawn.seed}"
    )
    if comparison is not None:
        print_comparison(comparison)


def _show_normalised(test_set: "TestSet", rule: "Normalizer") -> None:
    from asr.scoring.tables import print_changes

    print_changes("the references", test_set.references, rule)
    for system in test_set.systems:
        print_changes(system.name, system.texts, rule)


def _write_sclite(
    test_set: "TestSet",
    analyses: "Sequence[Analysis]",
    rule: "Normalizer",
    *,
    trn: Path | None,
    pra: Path | None,
    ctm: Path | None,
) -> None:
    from asr.scoring.outputs import write_ctm, write_pra, write_trn

    if trn:
        write_trn(trn.with_name(f"{trn.name}.ref.trn"), analyses[0].scored, reference=True)
        for number, one in enumerate(analyses, start=1):
            side = f"hyp{number}" if len(analyses) > 1 else "hyp"
            write_trn(trn.with_name(f"{trn.name}.{side}.trn"), one.scored, reference=False)
    if pra:
        write_pra(pra, analyses[0].scored)
    if ctm:
        write_ctm(ctm, analyses[0].scored, test_set.systems[0].attributes, normalizer=rule)


def _with_snr(test_set: "TestSet", manifest: Path) -> "TestSet":
    """Estimate the SNR of the recordings where the manifest does not have it."""
    from rich.console import Console
    from rich.progress import track

    from asr.audio import estimate_snr, load_audio
    from asr.manifest import read_manifest

    if any("snr" in known for known in test_set.attributes.values()):
        return test_set
    if not any("duration" in known for known in test_set.attributes.values()):
        raise ConfigError(
            f"--by snr: {manifest} names no recordings; give a manifest, or one with a key 'snr'"
        )
    console = Console(stderr=True)
    attributes = {}
    for one in track(
        read_manifest(manifest),
        "snr",
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ):
        heard = load_audio(one.audio_path, offset=one.offset, duration=one.duration)
        attributes[one.id] = {**test_set.attributes[one.id], "snr": estimate_snr(heard)}
    return replace(test_set, attributes=attributes)
