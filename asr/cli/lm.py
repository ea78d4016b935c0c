"""`asr lm`: n-gram language models from text."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.ngrams import read_ngrams, write_ngrams

app = typer.Typer(no_args_is_help=True, help="Estimate, measure and mix n-gram language models.")


class UnitName(StrEnum):
    """What an n-gram is a sequence of."""

    WORDS = "words"
    CHARACTERS = "characters"


_Texts = Annotated[
    list[Path],
    typer.Argument(metavar="TEXT...", help="One sentence a line; .gz, .xz, or - for stdin."),
]
_Normalizer = Annotated[
    str, typer.Option(help="Rule applied to the text: none, or basic as for transcripts.")
]
_Unit = Annotated[UnitName, typer.Option(help="What the model is over.")]
_Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="An .arpa or .arpa.gz file, or a small one: .safetensors."),
]
_Model = Annotated[
    Path, typer.Argument(help="An ARPA file, lm.safetensors, or a model folder that has one.")
]


@app.command()
def train(
    texts: _Texts,
    *,
    output: _Output,
    order: Annotated[int, typer.Option(help="Words of the longest n-grams, 1 to 6.")] = 3,
    unit: _Unit = UnitName.WORDS,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT|FILE",
            help="The most frequent words, or those of a file, one a line; others are <unk>.",
        ),
    ] = None,
    cutoffs: Annotated[
        str,
        typer.Option(
            metavar="0,N,...",
            help="By order, how often an n-gram may occur and still be left out.",
        ),
    ] = "",
    keep: Annotated[
        int | None,
        typer.Option(help="Leave out the least useful n-grams, all but so many and the words."),
    ] = None,
    normalizer: _Normalizer = "none",
) -> None:
    """Estimate an n-gram model from TEXT by interpolated modified Kneser-Ney smoothing."""
    from asr.lm.settings import NgramSettings
    from asr.lm.training import train_ngrams

    count = int(vocabulary) if vocabulary is not None and vocabulary.isdecimal() else None
    given = {
        "order": order,
        "unit": unit.value,
        "vocabulary": count,
        "cutoffs": _numbers(cutoffs),
        "keep": keep,
    }
    settings = NgramSettings.parse(given, "asr lm train")
    words = _word_list(Path(vocabulary)) if vocabulary is not None and count is None else None
    trained = train_ngrams(texts, settings, normalizer=normalizer, vocabulary=words)
    write_ngrams(output, trained.model)
    share = trained.unknown / trained.words
    print(
        f"{trained.words:,} {unit.value} in {trained.sentences:,} sentences, {share:.2%} <unk>",
        file=sys.stderr,
    )
    for number, (ngrams, one) in enumerate(
        zip(trained.model.ngrams, trained.discounts, strict=True), start=1
    ):
        note = " (too few counts to estimate them from)" if one.fallback else ""
        print(
            f"{number}-grams: {len(ngrams):,}, discounts {one.once:.4f} {one.twice:.4f} "
            f"{one.more:.4f}{note}",
            file=sys.stderr,
        )
    print(output)


@app.command()
def perplexity(
    model: _Model,
    texts: _Texts,
    *,
    unit: _Unit = UnitName.WORDS,
    normalizer: _Normalizer = "none",
) -> None:
    """Measure how well MODEL predicts TEXT."""
    from asr.lm.perplexity import measure_perplexity
    from asr.lm.training import read_numbered

    found = read_ngrams(model)
    result = measure_perplexity(found, read_numbered(texts, found, normalizer, unit.value))
    print(f"perplexity              {result.all:.2f}")
    print(f"without unknown words   {result.known:.2f}")
    words = result.words - result.sentences
    print(f"unknown words           {result.unknown:,} of {words:,} ({result.unknown_rate:.2%})")
    print(f"sentences               {result.sentences:,}")


@app.command()
def mix(
    first: _Model,
    second: _Model,
    *,
    output: _Output,
    weight: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Of the first model.")
    ] = None,
    tune: Annotated[
        list[Path] | None,
        typer.Option(help="Text that the weight makes most probable; repeatable."),
    ] = None,
    unit: _Unit = UnitName.WORDS,
    normalizer: _Normalizer = "none",
) -> None:
    """Interpolate two models, with a given weight or one tuned on a text."""
    from asr.errors import ConfigError
    from asr.lm import mixture
    from asr.lm.training import read_numbered

    if (weight is None) == (not tune):
        raise ConfigError("asr lm mix: expected either --weight or --tune")
    models = [read_ngrams(path) for path in (first, second)]
    if tune:
        scores = [one.score(read_numbered(tune, one, normalizer, unit.value)) for one in models]
        weight = mixture.tune_weight(scores[0], scores[1])
    assert weight is not None
    mixed = mixture.mix(models[0], models[1], weight)
    write_ngrams(output, mixed)
    print(f"weight of {first}: {weight:.4f}", file=sys.stderr)
    print(output)


@app.command()
def export(
    model: _Model,
    *,
    output: _Output,
) -> None:
    """Write the language model of a model folder as an ARPA file, which every toolkit reads."""
    found = read_ngrams(model)
    write_ngrams(output, found)
    print(output)


def _numbers(text: str) -> list[int]:
    from asr.errors import ConfigError

    parts = [part for part in text.split(",") if part.strip()]
    if not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--cutoffs {text}: expected counts with commas between, like 0,0,1")
    return [int(part) for part in parts]


def _word_list(path: Path) -> list[str]:
    from asr.lm.text import read_lines

    return [word for lines in read_lines([path], lambda _: None) for word in lines.split()]
