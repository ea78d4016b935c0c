"""The espeak-ng speech synthesiser of the `espeakng-loader` wheel, called through ctypes.

A voice is an accent and a variant, named as espeak-ng names it: "en-us+f3" is American English
spoken by the third female variant.
"""

import _ctypes
import ctypes
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from asr.errors import ConfigError

# Values of espeak-ng's speak_lib.h, which is the same in all releases since 1.50.
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_BY_CHARACTER = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_LIST_END, _WORD, _MESSAGE_END = 0, 1, 6
_VOLUME_WITHOUT_CLIPPING = 40  # of 100, where the loudest variants already clip


@dataclass(frozen=True)
class SpokenWord:
    """One word, and where in the samples it is spoken."""

    text: str
    start: int  # sample
    end: int  # sample after the last


@dataclass(frozen=True)
class Speech:
    """What the synthesiser said."""

    samples: NDArray[np.int16]  # (N,)
    sample_rate: int  # Hz
    words: tuple[SpokenWord, ...]  # a short function word may be part of the word after it


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, the first is 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("identifier", _Identifier),
    )


_Samples = ctypes.POINTER(ctypes.c_short)
_Events = ctypes.POINTER(_Event)
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, _Samples, ctypes.c_int, _Events)


def variants() -> list[str]:
    """Names of the voice variants in the installed wheel, sorted.

    Raises:
        ConfigError: the wheel is not installed.
    """
    return sorted(path.name for path in (_data_folder() / "voices" / "!v").iterdir())


class Synthesizer:
    """One private espeak-ng; use it in a `with` block, from one thread.

    espeak-ng keeps its state in global variables, and what it says depends a little on all that it
    said before. Each Synthesizer therefore loads a copy of the library of its own: the same calls
    in the same order give the same samples, whatever else the process has synthesised.
    """

    def __init__(self) -> None:
        """Raises ConfigError where the wheel is missing or does not work on this machine."""
        data = _data_folder()
        self._variants = frozenset(variants())
        self._chunks: list[NDArray[np.int16]] = []
        self._starts: list[tuple[int, int, int]] = []  # sample, text position, length
        self._interruption: BaseException | None = None
        self._library, self._folder = _load_copy(_library_path())
        self._callback = _Callback(self._receive)
        self.sample_rate: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, os.fsencode(data), _DO_NOT_EXIT
        )
        if self.sample_rate <= 0:
            self.close()
            raise ConfigError(
                f"{data}: espeak-ng cannot read its data (it came without, or the path is longer "
                "than the 160 bytes that espeak-ng takes); reinstall, or use a shorter path: "
                "pip install --force-reinstall espeakng-loader"
            )
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Unload the library; the synthesiser cannot be used any more."""
        if self._library is None:
            return
        self._library.espeak_Terminate()
        _unload(self._library)
        self._library = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def speak(
        self, text: str, voice: str, *, rate: int = 175, pitch: int = 50, seed: int = 1
    ) -> Speech:
        """Say a text.

        Args:
            text: one or more sentences.
            voice: accent and variant ("en-us+f3"), or the accent alone.
            rate: words a minute, 80 to 450.
            pitch: 0 to 100; 50 is the voice's own.
            seed: of the noise in breathy voices, above 0.

        Raises:
            ConfigError: there is no such voice.
        """
        self._set_voice(voice)
        for parameter, value in (
            (_RATE, rate),
            (_PITCH, pitch),
            (_VOLUME, _VOLUME_WITHOUT_CLIPPING),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(seed)
        self._chunks, self._starts = [], []
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        if self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            raise interruption
        samples = np.concatenate([np.zeros(0, np.int16), *self._chunks])
        return Speech(samples, self.sample_rate, self._words(text, len(samples)))

    def _set_voice(self, voice: str) -> None:
        _, _, variant = voice.partition("+")
        # espeak-ng takes unknown variants without a word, and speaks with the plain voice.
        known = not variant or variant in self._variants
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ConfigError(
                f"voice '{voice}': espeak-ng has none of that name; expected an accent and a "
                "variant, such as 'en-us+f3'"
            )

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        # An exception (Ctrl-C) cannot cross C: it waits until the library has returned.
        try:
            if samples and count > 0:
                self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
            index = 0
            while (event := events[index]).type not in (_LIST_END, _MESSAGE_END):
                if event.type == _WORD:
                    self._starts.append((event.sample, event.text_position - 1, event.length))
                index += 1
        except BaseException as error:
            self._interruption = error
            return 1
        return 0

    def _words(self, text: str, length: int) -> tuple[SpokenWord, ...]:
        ends = [sample for sample, _, _ in self._starts[1:]] + [length]
        return tuple(
            SpokenWord(text[position : position + count], start, end)
            for (start, position, count), end in zip(self._starts, ends, strict=False)
        )


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise ConfigError(
            "the speech synthesiser is not installed (package espeakng-loader); "
            "install it: pip install 'asr[demo]'"
        ) from None
    return espeakng_loader


def _data_folder() -> Path:
    return Path(_loader().get_data_path())


def _library_path() -> Path:
    return Path(_loader().get_library_path())


def _load_copy(path: Path) -> tuple[Any, Path]:
    """Load a fresh copy of a shared library; return it and the folder in which it lies."""
    folder = Path(tempfile.mkdtemp(prefix="espeak-"))
    try:
        library = ctypes.CDLL(str(shutil.copy(path, folder)))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigError(
            f"{path}: the speech synthesiser cannot be loaded ({error}); "
            "reinstall it: pip install --force-reinstall espeakng-loader"
        ) from None
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.POINTER(ctypes.c_uint),
        ctypes.c_void_p,
    )
    library.espeak_SetSynthCallback.argtypes = (_Callback,)
    library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
    return library, folder


def _unload(library: Any) -> None:
    """Give the library's memory back; on Windows its file could not be deleted otherwise."""
    close = getattr(_ctypes, "dlclose", None) or getattr(_ctypes, "FreeLibrary", None)
    if close is not None:
        close(library._handle)
