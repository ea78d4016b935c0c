"""From text files to an n-gram model."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from asr.errors import DataError
from asr.lm.counts import END, UNKNOWN, Numbers, count_ngrams
from asr.lm.kneser_ney import FALLBACK, Discounts, estimate
from asr.lm.model import NgramModel
from asr.lm.prune import prune
from asr.lm.settings import NgramSettings, Unit
from asr.lm.text import close_vocabulary, most_frequent, number_words, read_lines
from asr.text import Normalizer

SPACE = "|"  # between words, where characters are the words
NO_WORDS = "no words in there; expected sentences, one a line"


@dataclass(frozen=True)
class Trained:
    """A model and what went into it."""

    model: NgramModel
    sentences: int
    words: int  # sentence ends not counted
    unknown: int  # of them
    discounts: list[Discounts]  # by order
    seconds: dict[str, float]  # that each step took

    @property
    def fallbacks(self) -> str | None:
        """Words about discounts that are no estimates; None where all are."""
        orders = [str(n) for n, one in enumerate(self.discounts, start=1) if one.fallback]
        if not orders:
            return None
        discounts = ", ".join(f"{one:g}" for one in FALLBACK)
        return (
            f"n-grams of order {', '.join(orders)} have too few counts to estimate discounts from, "
            f"which are {discounts}: usual for little text, or for letters"
        )


def train_ngrams(
    paths: Sequence[Path],
    settings: NgramSettings,
    *,
    normalizer: str = "none",
    vocabulary: Sequence[str] | None = None,
) -> Trained:
    """Estimate an n-gram model, with a progress bar on a terminal.

    Args:
        paths: text files, one sentence a line (plain, .gz or .xz; `-` is standard input).
        settings: of the model.
        normalizer: name of the rule for the text.
        vocabulary: the words it knows; None takes those of the text that the settings say.

    Raises:
        DataError: a file cannot be used, or there is no word in any of them.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "reading"), byte_bar("reading text", paths) as progress:
        rule = text_rule(normalizer, settings.unit)
        text, words = number_words(map(rule, read_lines(paths, progress)))
    if len(text) == 0:
        raise DataError(f"{', '.join(map(str, paths))}: {NO_WORDS}")
    if vocabulary is None and settings.vocabulary is not None:
        vocabulary = most_frequent(text, words, settings.vocabulary)
    if vocabulary is not None:
        text, words = close_vocabulary(text, words, vocabulary)
    sentences, unknown = int((text == END).sum()), int((text == UNKNOWN).sum())
    what = f"counting {len(text) - 2 * sentences:,} words"
    with _timed(seconds, "counting"), count_bar(what, settings.order) as progress:
        counted = count_ngrams(text, settings.order, vocabulary=len(words), progress=progress)
    with _timed(seconds, "estimating"), count_bar("estimating", settings.order) as progress:
        found = estimate(counted, words, cutoffs=settings.cutoffs, progress=progress)
        del counted
    model = found.model
    if settings.keep is not None:
        with _timed(seconds, "pruning"), Console(stderr=True).status("pruning"):
            model = prune(model, keep=settings.keep, histories=found.histories)
    return Trained(model, sentences, len(text) - 2 * sentences, unknown, found.discounts, seconds)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started


def read_numbered(paths: Sequence[Path], model: NgramModel, normalizer: str, unit: Unit) -> Numbers:
    """Read text files in the numbers (N,) of a model's words, <unk> where it does not know one.

    Raises:
        DataError: a file cannot be used, or there is no word in any of them.
    """
    with byte_bar("reading text", paths) as progress:
        text, words = number_words(map(text_rule(normalizer, unit), read_lines(paths, progress)))
    if len(text) == 0:
        raise DataError(f"{', '.join(map(str, paths))}: {NO_WORDS}")
    return close_vocabulary(text, words, model.words)[0]


def text_rule(normalizer: str, unit: Unit) -> Callable[[str], str]:
    """The rule that turns lines of text into lines of the units that a model is over."""
    normalize = Normalizer(normalizer)

    def rule(lines: str) -> str:
        if normalizer != "none":
            lines = "\n".join(map(normalize, lines.split("\n")))
        if unit == "characters":
            lines = "\n".join(" ".join(SPACE.join(line.split())) for line in lines.split("\n"))
        return lines

    return rule


@contextmanager
def byte_bar(what: str, paths: Sequence[Path]) -> Iterator[Callable[[int], object]]:
    """A progress bar over the bytes of files, on a terminal; to be told how many more are read."""
    known = all(path.is_file() for path in paths)
    total = sum(path.stat().st_size for path in paths) if known else None
    with count_bar(what, total) as advance:
        yield advance


@contextmanager
def count_bar(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """A progress bar on a terminal; to be told how many more are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
