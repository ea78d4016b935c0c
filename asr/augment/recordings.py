"""Recordings for augmentation: the user's folders of noise and of impulse responses."""

from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

from rich.console import Console
from rich.progress import track

from asr.audio import AUDIO_SUFFIXES, Waveform, load_audio, refuse_silence, resample
from asr.errors import AudioError, ConfigError

_MOST_HOURS = 10.0  # 2.3 GB at 16 kHz, in each process


@dataclass(frozen=True)
class Recording:
    """One file of a user's folder, in memory."""

    name: str  # its path below the folder
    waveform: Waveform


def read_recordings(
    folder: str, sample_rate: int, *, key: str, longest_seconds: float = float("inf")
) -> list[Recording]:
    """Read all recordings in and below a folder, in the order of their names.

    Args:
        folder: relative to the working directory.
        sample_rate: Hz, that they are resampled to.
        key: the setting that named the folder, for error messages.
        longest_seconds: of each recording.

    Raises:
        ConfigError: there is no such folder, no recording in it, or more than fits into memory.
        AudioError: naming every recording that cannot be used.
    """
    recordings, problems, hours = [], [], 0.0
    for path in _progress(_find(folder, key), key):
        try:
            waveform = _read(path, sample_rate, longest_seconds)
        except AudioError as error:
            problems.append(str(error))
            continue
        recordings.append(Recording(path.relative_to(folder).as_posix(), waveform))
        hours += waveform.duration / 3600
        if hours > _MOST_HOURS:
            raise ConfigError(
                f"{key}: {folder}: more than {_MOST_HOURS:g} hours of recordings, which are all "
                "held in memory; put a selection of them into a folder of its own"
            )
    if problems:
        raise AudioError(
            f"{key}: {folder}: {len(problems)} of {len(problems) + len(recordings)} recordings "
            f"cannot be used; mend or remove them: {'; '.join(problems)}"
        )
    return recordings


def _find(folder: str, key: str) -> list[Path]:
    root = Path(folder)
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ConfigError(
            f"{key}: {folder} {what}; expected a folder of recordings, its path as seen from "
            f"{Path.cwd()}"
        )
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        raise ConfigError(
            f"{key}: {folder} has no recordings in it; expected files that end in "
            f"{', '.join(AUDIO_SUFFIXES)}"
        )
    return found


def _read(path: Path, sample_rate: int, longest_seconds: float) -> Waveform:
    waveform = load_audio(path)
    if waveform.duration > longest_seconds:
        raise AudioError(
            f"{path}: {waveform.duration:.1f} s long; expected an impulse response of at most "
            f"{longest_seconds:g} s"
        )
    refuse_silence(waveform, path)
    resampled = resample(waveform, sample_rate)
    if len(resampled.samples) == 0:
        raise AudioError(
            f"{path}: too short: nothing is left of its {waveform.duration:.4f} s at {sample_rate} "
            "Hz; give a longer recording, or remove it"
        )
    return resampled


def _progress(paths: list[Path], key: str) -> Iterator[Path]:
    console = Console(stderr=True)
    # One bar is enough where several processes train.
    hidden = not console.is_terminal or parent_process() is not None
    yield from track(paths, key, console=console, disable=hidden, transient=True)
