"""The lexicon: words that a search can find, and the ways each is spelled in tokens."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from asr.errors import ModelError
from asr.files import whole_file
from asr.tokens import Spellings, TokenTable

Lexicon = Mapping[str, Spellings]
_NAMED = 5  # words that are named


def spell(words: Sequence[str], tokens: TokenTable) -> Lexicon:
    """A lexicon of words spelled as the tokens spell them; words they cannot spell are left out."""
    spelled = zip(words, tokens.all_spellings(words), strict=True)
    return {word: spellings for word, spellings in spelled if spellings}


def write_lexicon(path: Path, words: Sequence[str], tokens: TokenTable) -> None:
    """Write a lexicon: one word a line, or, where tokens cannot be read, one of its spellings.

    Words that cannot be pronounced stand alone, and are counted and named on stderr.
    """
    console = Console(stderr=True)
    hidden = tokens.orthographic or not console.is_terminal
    mute = []
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for word in track(words, "pronouncing", console=console, disable=hidden, transient=True):
            lines = [word] if tokens.orthographic else _pronounced(word, tokens)
            file.writelines(f"{line}\n" for line in lines or [word])
            if not lines:
                mute.append(word)
    if mute:
        print(
            f"    {len(mute)} of {len(words):,} words cannot be pronounced, and will not be found: "
            f"{', '.join(mute[:_NAMED])}{', …' if len(mute) > _NAMED else ''}",
            file=sys.stderr,
        )


def _pronounced(word: str, tokens: TokenTable) -> list[str]:
    return [
        " ".join([word, *(tokens.symbols[number] for number in ids)])
        for ids in tokens.spellings(word)
    ]


def read_lexicon(path: Path, tokens: TokenTable) -> Lexicon:
    """Read a lexicon; words that the tokens cannot spell are left out.

    Raises:
        ModelError: the file cannot be read, or has tokens that are not in the table.
    """
    if tokens.orthographic:
        return spell(read_words(path), tokens)
    number = {symbol: place for place, symbol in enumerate(tokens.symbols)}
    found: dict[str, Spellings] = {}
    for place, line in enumerate(_read_lines(path), start=1):
        word, *symbols = line.split()
        try:
            ids = tuple(map(number.__getitem__, symbols))
        except KeyError as error:
            raise ModelError(
                f"{path}, line {place}: {error} is not a token of the model; copy the model again"
            ) from None
        if ids:
            found[word] = (*found.get(word, ()), ids)
    return found


def read_words(path: Path) -> list[str]:
    """Read the words of a lexicon. Raises ModelError where the file cannot be read."""
    return list(dict.fromkeys(line.split()[0] for line in _read_lines(path)))


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the model again") from None
    return [line for line in lines if line.strip()]
