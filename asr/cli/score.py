"""`asr score`: compare hypotheses with references, and systems with each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.noise import with_snr
from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.illustration.illustrator import Illustrator
    from asr.manifest import Utterance
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
    Path | None,
    typer.Option(help="Also write a page: intervals, slices, every alignment, players, pictures."),
]
_Pictures = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Utterances of the page to draw, most of them the worst; 20."
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(help="A model folder: its probabilities are drawn, and when words were said."),
]
_Trn = Annotated[
    Path | None,
    typer.Option(help="Also write PREFIX.ref.trn and PREFIX.hyp.trn (two: .hyp1.trn, .hyp2.trn)."),
]
_Pra = Annotated[Path | None, typer.Option(help="Also write every alignment as text, as sclite.")]
_Ctm = Annotated[
    Path | None,
    typer.Option(help="Also write the recognised words with times, each normalised by itself."),
]


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
    pictures: _Pictures = None,
    model: _Model = None,
    trn: _Trn = None,
    pra: _Pra = None,
    ctm: _Ctm = None,
) -> None:
    """Print the word and character error rates of hypotheses, with 95 % intervals.

    Two hypotheses are compared: by how much one is better, and how sure that is.
    """
    from asr.files import refuse_overlap
    from asr.scoring.analysis import Questions, analyse, read_vocabulary
    from asr.scoring.bootstrap import Bootstrap
    from asr.scoring.comparison import compare
    from asr.scoring.report import write_json
    from asr.scoring.tables import print_analyses
    from asr.scoring.test_set import read_test_set, with_speakers
    from asr.scoring.transcripts import read_utterances
    from asr.text import Normalizer

    _refuse(hypotheses, pra, ctm)
    read = [reference, *hypotheses, *(one for one in (speakers, vocabulary) if one is not None)]
    refuse_overlap(read, [json, html, pra, ctm, *_trn_files(trn, len(hypotheses))])
    if parallel and missing is MissingHypotheses.COUNT:
        raise ConfigError(
            "--missing count: came with --parallel, whose files have the same lines, so that none "
            "is missing; leave one of them out"
        )
    if html is None and (pictures is not None or model is not None):
        raise ConfigError("--pictures and --model belong to the page; give --html FILE, too")
    rule = Normalizer.for_scoring(normalizer)
    test_set = read_test_set(reference, hypotheses, parallel=parallel, missing=missing.value)
    if speakers is not None:
        test_set = with_speakers(test_set, speakers)
    keys = tuple(dict.fromkeys(key.strip() for key in by.split(",") if key.strip()))
    utterances = read_utterances(reference) if not parallel and (html or "snr" in keys) else []
    complete = True
    if "snr" in keys:
        test_set, known, complete = with_snr(test_set, utterances, reference)
        keys = tuple(key for key in keys if known or key != "snr")
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
    print_analyses(analyses, comparison, errors=errors)
    if json:
        write_json(json, analyses, comparison=comparison)
    _write_sclite(test_set, analyses, rule, trn=trn, pra=pra, ctm=ctm)
    if html:
        facts = {"reference": str(reference), "hypotheses": ", ".join(map(str, hypotheses))}
        failed = _Page(html, facts, utterances, pictures, model).write(
            test_set, analyses, comparison, rule
        )
        # Pictures that nobody asked for may lack: scores need no recordings.
        complete = complete and not (failed and (pictures is not None or model is not None))
    if not complete:
        raise typer.Exit(2)


def _refuse(hypotheses: Sequence[Path], pra: Path | None, ctm: Path | None) -> None:
    """Raise ConfigError where the options contradict each other."""
    if len(hypotheses) > 2:
        raise ConfigError(f"{len(hypotheses)} hypotheses came; expected one, or two to compare")
    if len(hypotheses) == 2 and hypotheses[0] == hypotheses[1]:
        raise ConfigError(f"{hypotheses[0]}: came twice; expected two systems to compare")
    if len(hypotheses) == 2 and (pra or ctm):
        raise ConfigError("--pra and --ctm write one system; give one hypothesis with them")


@dataclass(frozen=True)
class _Page:
    """The page to write."""

    path: Path
    facts: Mapping[str, str]
    utterances: "Sequence[Utterance]"  # none where the reference is no manifest
    pictures: int | None
    model: Path | None

    def write(
        self,
        test_set: "TestSet",
        analyses: "Sequence[Analysis]",
        comparison: "Comparison | None",
        rule: "Normalizer",
    ) -> bool:
        """Write it, and say whether a picture failed; what failed is named on stderr."""
        from asr.illustration.exhibition import PICTURES, Exhibition, describe_failures
        from asr.scoring.report import write_report

        if not self.utterances and (self.model is not None or self.pictures):
            raise ConfigError(
                f"{self.facts['reference']}: is no manifest, so there are no recordings to draw; "
                "give a manifest as the reference, or leave out --pictures and --model"
            )
        exhibition = Exhibition(
            self.path.parent,
            rule,
            self.utterances,
            PICTURES if self.pictures is None else self.pictures,
            self._illustrator(),
        )
        reports, failed = [], False
        for system, analysis in zip(test_set.systems, analyses, strict=True):
            reported, errors = exhibition.report(test_set, system, analysis)
            reports.append(reported)
            if errors:
                failed = True
                typer.echo(f"asr: {describe_failures(errors, system.name)}", err=True)
        names = ", ".join(system.name for system in test_set.systems)
        write_report(
            self.path,
            reports,
            title=f"Scores of {names}",
            facts=self.facts,
            comparison=comparison,
        )
        return failed

    def _illustrator(self) -> "Illustrator":
        from asr.illustration.illustrator import Illustrator

        if self.model is None:
            return Illustrator()
        # Here, because it needs torch.
        from asr.illustration.listener import ModelIllustrator

        return ModelIllustrator.load(self.model)


def _show_normalised(test_set: "TestSet", rule: "Normalizer") -> None:
    from asr.scoring.tables import print_changes

    print_changes("the references", test_set.references, rule)
    for system in test_set.systems:
        print_changes(system.name, system.texts, rule)


def _trn_files(prefix: Path | None, systems: int) -> list[Path]:
    """The files of --trn: what was said, and what each system has recognised."""
    if prefix is None:
        return []
    names = ["hyp"] if systems == 1 else [f"hyp{number + 1}" for number in range(systems)]
    return [prefix.with_name(f"{prefix.name}.{name}.trn") for name in ("ref", *names)]


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
        said, *recognised = _trn_files(trn, len(analyses))
        write_trn(said, analyses[0].scored, reference=True)
        for path, one in zip(recognised, analyses, strict=True):
            write_trn(path, one.scored, reference=False)
    if pra:
        write_pra(pra, analyses[0].scored)
    if ctm:
        write_ctm(ctm, analyses[0].scored, test_set.systems[0].attributes, normalizer=rule)
