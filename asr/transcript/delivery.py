"""Where transcripts go: standard output, a file, or a folder with a file for each."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ConfigError, DataError
from asr.files import refuse_overlap, refuse_unwritable
from asr.transcript.cues import DEFAULT_CUES, CueSettings
from asr.transcript.formats import FORMATS, find_format, render, write_transcript
from asr.transcript.transcript import Transcript


@dataclass(frozen=True)
class Delivery:
    """How transcripts are written."""

    formats: tuple[str, ...] = ()  # none: the text alone, a line a recording
    file: Path | None = None  # for the one recording; with several formats each adds its suffix
    folder: Path | None = None
    force: bool = False  # whether what stands beside a recording may be overwritten
    cues: CueSettings = DEFAULT_CUES

    def check(self, stems: Sequence[Path], recordings: Sequence[Path] = ()) -> None:
        """Refuse what cannot be done before anything is transcribed.

        Args:
            stems: of the files in the folder, one a transcript.
            recordings: of which they are.

        Raises:
            ConfigError: no such format; transcripts that cannot stand one after the other; a
                recording, or what somebody may have written beside it, would be overwritten.
            DataError: two transcripts would be written into one file, or nothing can be written
                where they are to go.
        """
        self._check_formats(stems)
        files = [path for stem in stems for path in self._files(stem)]
        refuse_overlap(recordings, files)
        for path in {file.parent: file for file in files}.values():
            refuse_unwritable(path)
        if self.folder is not None and not self.force:
            _refuse_neighbours(files, recordings)

    def _check_formats(self, stems: Sequence[Path]) -> None:
        for name in self.formats:
            find_format(name)
        if self.file is not None and self.folder is not None:
            raise ConfigError("--output names a file and --output-dir a folder: give one of them")
        if self.folder is not None:
            if len(set(stems)) < len(stems):
                twice = next(stem for stem in stems if stems.count(stem) > 1)
                raise DataError(f"{self.folder / twice}: two recordings would be written there")
            return
        if self.file is not None and len(stems) > 1:
            raise ConfigError(
                f"--output {self.file}: one file for {len(stems)} recordings; "
                "use --output-dir, which gets a file for each"
            )
        if self.file is None and len(self.formats) > 1:
            raise ConfigError(
                f"{len(self.formats)} formats cannot go to standard output together; "
                "use --output or --output-dir"
            )
        if self.file is None and self.formats and len(stems) > 1:
            (name,) = self.formats
            if not FORMATS[name].joinable:
                joinable = ", ".join(one for one, form in FORMATS.items() if form.joinable)
                raise ConfigError(
                    f"{len(stems)} recordings cannot go to standard output as one {name}; "
                    f"use --output-dir, or one of {joinable}"
                )

    def write(self, transcript: Transcript, stem: Path, *, alone: bool) -> list[DataError]:
        """Write a transcript, each file whole or not at all.

        Args:
            transcript: of one recording or channel.
            stem: of its file in the folder, relative to it.
            alone: whether there is no other, so that its text needs no name.

        Returns:
            The files that could not be written, and why; they keep back no other.
        """
        if self.folder is not None or self.file is not None:
            return list(self._write_files(transcript, stem))
        if self.formats:
            sys.stdout.write(render(transcript, self.formats[0], cue_settings=self.cues))
            sys.stdout.flush()
        else:
            where = transcript.name
            if transcript.channel is not None:
                where += f" (channel {transcript.channel})"
            one = alone and transcript.channel is None
            print(transcript.text if one else f"{where}\t{transcript.text}", flush=True)
        return []

    def _write_files(self, transcript: Transcript, stem: Path) -> Iterator[DataError]:
        for path, name in self._files(stem).items():
            try:
                write_transcript(path, transcript, format=name, cue_settings=self.cues)
            except DataError as error:
                yield error

    def _files(self, stem: Path) -> dict[Path, str]:
        """The files of a transcript, none where it goes to standard output, and their formats."""
        found = {}
        for name in self.formats or ("txt",):
            suffix = find_format(name).suffix
            if self.folder is not None:
                found[self.folder / stem.parent / (stem.name + suffix)] = name
            elif self.file is not None:
                several = len(self.formats) > 1
                found[self.file.with_name(self.file.name + (suffix if several else ""))] = name
        return found


def _refuse_neighbours(files: Sequence[Path], recordings: Sequence[Path]) -> None:
    """Raise ConfigError where a transcript would take the place of a file beside a recording."""
    # A link is a recording, too, where it lies and where it leads.
    places = {recording.parent.resolve() for recording in recordings}
    places |= {recording.resolve().parent for recording in recordings}
    there = [path for path in files if path.exists() and path.resolve().parent in places]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ConfigError(
            f"{there[0]}{more}: there already, beside a recording, and may be what somebody wrote; "
            "choose another --output-dir, or overwrite with --force"
        )
