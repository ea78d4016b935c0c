"""Phones as tokens: words as they sound, by a pronouncing dictionary."""

import base64
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from asr.errors import DataError, ModelError, one_line
from asr.pronunciation.alignment import align_letters
from asr.pronunciation.dictionary import Dictionary, Phones, load_dictionary
from asr.pronunciation.speller import Speller
from asr.tokens.table import Spellings, TokenTable

_START = "\u2581"  # before a phone that begins a word
_LARGEST = 2**26  # bytes of a dictionary, unpacked
_PAIRS = 20000  # words from which the usual letters of each phone are counted


class PhoneTable(TokenTable):
    """One token a phone, and one for the space between words.

    Without that one, a phone that begins a word is a token of its own, written with a mark before
    it, as position-dependent phones are in Kaldi: no frame has to be spent on what is not heard.

    A word that the dictionary does not have is pronounced as a model says that has learned from
    the dictionary how words are spelled; phones that are no word of it are written with the usual
    letters of each.
    """

    kind = "phones"
    orthographic = False

    def __init__(
        self, dictionary: Dictionary | str, letters: Mapping[str, str], *, space: bool = True
    ) -> None:
        """What there is to say and to write.

        Args:
            dictionary: words and their pronunciations; of those that sound alike, the first is
                written. Or the lines of such a dictionary, which are read when they are needed.
            letters: of each phone, the usual ones.
            space: whether there is a token between words.
        """
        plain = sorted(letters)
        super().__init__([" ", *plain] if space else [*plain, *(_START + one for one in plain)])
        self._source, self._letters = dictionary, dict(letters)

    @classmethod
    def learn(
        cls,
        texts: Iterable[str],
        path: Path | None,
        normalize: Callable[[str], str],
        *,
        space: bool = True,
    ) -> Self:
        """Take a dictionary, and add the words of the training transcripts that it lacks.

        Args:
            texts: normalised.
            path: of the dictionary; None: CMUdict.
            normalize: what makes its words look like those of the texts.
            space: whether there is a token between words.

        Raises:
            ConfigError: there is no such dictionary.
            DataError: the dictionary is damaged, or a word has letters that none of its words has.
        """
        dictionary = dict(load_dictionary(path, normalize))
        counts = Counter(word for text in texts for word in text.split())
        missing = [word for word in counts if word not in dictionary]
        if missing:
            speller = Speller.learn(dictionary)
            for word in missing:
                dictionary[word] = (_pronounce(word, speller),)
        # Frequent words first, then short ones: they are what a sound most likely means.
        ranked = sorted(dictionary, key=lambda word: (-counts[word], len(word), word))
        known = {word: dictionary[word] for word in ranked}
        return cls(known, _usual_letters(dictionary), space=space)

    def encode(self, text: str) -> list[int]:
        """Text -> ids, of the first pronunciation of each word.

        Raises:
            DataError: naming the characters that no word of the dictionary has.
        """
        ids: list[int] = []
        for word in text.split():
            if ids and self.space is not None:
                ids.append(self.space)
            ids += self._numbers(self._pronunciations(word)[0])
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> text, word by word."""
        words: list[list[str]] = [[]]
        for number in ids:
            if number and number == self.space:
                words.append([])
            elif number:
                words += [[]] if self.begins_word(number) else []
                words[-1].append(self.symbols[number].removeprefix(_START))
        return " ".join(self._write(tuple(phones)) for phones in words if phones)

    def spellings(self, word: str) -> Spellings:
        """All pronunciations of a word; none where nothing that is known says how it sounds."""
        if self.unknown(word):
            return ()
        said = self._dictionary.get(word) or (self._speller(word),)
        return tuple(tuple(self._numbers(phones)) for phones in said if phones)

    def begins_word(self, token: int) -> bool:
        """Whether it is marked so; where there is a space, a word begins after that."""
        return token != 0 and self.symbols[token].startswith(_START)

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the text that no word of the dictionary has, counted."""
        return Counter(character for character in text if character not in self._characters)

    def to_json(self) -> dict[str, Any]:
        """Plain data, the dictionary packed."""
        lines = "".join(
            f"{word} {' '.join(phones)}\n"
            for word, pronunciations in self._dictionary.items()
            for phones in pronunciations
        )
        packed = base64.b64encode(zlib.compress(lines.encode(), 9)).decode()
        return super().to_json() | {"letters": self._letters, "dictionary": packed}

    @classmethod
    def from_json(cls, data: dict[str, Any], where: str) -> Self:
        """Rebuild a table. Raises ModelError where the data is not one."""
        try:
            unpacking = zlib.decompressobj()
            lines = unpacking.decompress(
                base64.b64decode(data["dictionary"], validate=True), _LARGEST
            )
            dictionary = lines.decode()
            table = cls(dictionary, data["letters"], space=" " in data["symbols"])
            said = "|".join(map(re.escape, data["letters"]))
            # Which costs a tenth of reading them.
            whole = re.fullmatch(f"(?:[^ \\n]++(?: (?:{said})(?=[ \\n]))++\\n)*+", dictionary)
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise ModelError(
                f"{where}: not a table of phones ({one_line(error)}); is the file damaged?"
            ) from None
        if not whole or list(table.symbols[1:]) != data.get("symbols"):
            raise ModelError(f"{where}: its phones are not its symbols; is the file damaged?")
        return table

    @cached_property
    def _dictionary(self) -> Dictionary:
        return _read(self._source) if isinstance(self._source, str) else dict(self._source)

    @cached_property
    def _written(self) -> Mapping[Phones, str]:
        written: dict[Phones, str] = {}
        for word, pronunciations in self._dictionary.items():
            for phones in pronunciations:
                written.setdefault(phones, word)
        return written

    @cached_property
    def _characters(self) -> frozenset[str]:
        return frozenset("".join(self._dictionary)) | {" "}

    @cached_property
    def _speller(self) -> Speller:
        return Speller.learn(self._dictionary)

    def _pronunciations(self, word: str) -> tuple[Phones, ...]:
        if word not in self._dictionary:
            self.refuse_unknown(word)
            return (_pronounce(word, self._speller),)
        return self._dictionary[word]

    def _numbers(self, phones: Phones) -> list[int]:
        first = "" if self.space is not None else _START
        return [self._ids[phone if place else first + phone] for place, phone in enumerate(phones)]

    def _write(self, phones: Phones) -> str:
        word = self._written.get(phones)
        return word or "".join(self._letters[phone] for phone in phones)


def _read(lines: str) -> Dictionary:
    found: dict[str, list[Phones]] = defaultdict(list)
    for line in lines.split("\n")[:-1]:
        word, *phones = line.split(" ")
        found[word].append(tuple(phones))
    return {word: tuple(said) for word, said in found.items()}


def _pronounce(word: str, speller: Speller) -> Phones:
    phones = speller(word)
    if not phones:
        raise DataError(
            f"'{word}' cannot be pronounced by the dictionary's words; add it to the dictionary"
        )
    return phones


def _usual_letters(dictionary: Dictionary) -> dict[str, str]:
    """Of each phone, the letters that stand for it most often; silent ones before it are of it."""
    words = sorted(dictionary)[:: -(-len(dictionary) // _PAIRS)]
    counts: dict[str, Counter[str]] = {
        phone: Counter() for said in dictionary.values() for one in said for phone in one
    }
    for graphones in align_letters([(word, dictionary[word][0]) for word in words]):
        silent = ""
        for letter, phones in graphones:
            if len(phones) == 1:
                counts[phones[0]][silent + letter] += 1
            silent = "" if phones else silent + letter
    return {
        phone: max(sorted(found), key=found.__getitem__, default=phone.lower())
        for phone, found in counts.items()
    }
