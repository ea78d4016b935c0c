"""A stage's folder: worked on as a partial one, put in its place whole, never half-done.

06_train                     finished; stage.json says from what
06_train.partial             being made, or stopped before its end; partial.json says from what
06_train.partial.1a2b3c4d    stopped, made from settings that have changed since; the user's
06_train.old                 for an instant, while a new one takes its place
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import asr
from asr.recipe.launch import Launch
from asr.recipe.record import (
    MARKER,
    RECORD,
    Marker,
    Provenance,
    StageRecord,
    changes,
    content_hash,
    list_files,
)
from asr.recipe.stage import Stage


class StageFolder:
    """The places of one stage in an experiment folder."""

    def __init__(self, experiment: Path, stage: Stage) -> None:
        """Touches nothing on the disk."""
        self.stage = stage
        self.finished = experiment / stage.folder_name
        self.partial = experiment / f"{stage.folder_name}.partial"
        self._old = experiment / f"{stage.folder_name}.old"

    def record(self) -> StageRecord | None:
        """Record of the finished folder; None where there is none that can be read."""
        return StageRecord.read(self.finished)

    def recover(self) -> None:
        """Complete a replacement that was cut off between its steps."""
        record = StageRecord.read(self.partial)
        if record and record.stage == self.stage.name:
            self._put_in_place()
        if self._old.exists() and not self.finished.exists():
            self._old.rename(self.finished)
        if self._old.exists():
            shutil.rmtree(self._old)

    def open_partial(self, provenance: Provenance, launch: Launch) -> str:
        """Make the partial folder, or open the one that earlier work can go on in.

        Returns:
            What became of earlier work, for the user to know; '' if there was none.
        """
        notice = self._set_earlier_work_aside(provenance)
        kept = self._aside(provenance.key)
        if kept.exists() and not self.partial.exists():
            kept.rename(self.partial)
            notice += f"going on with the work kept in {kept.name}"
        elif self.stage.resumable and self.partial.exists():
            notice += f"going on in {self.partial.name}"
        self.partial.mkdir(parents=True, exist_ok=True)
        marker = Marker.read(self.partial) or Marker(provenance, 0.0, 0, "")
        Marker(provenance, marker.seconds, marker.runs + 1, launch.id).write(self.partial)
        return notice

    def stop(self, seconds: float) -> None:
        """Note that the work has stopped before its end, after so many seconds more."""
        marker = Marker.read(self.partial)
        if marker:
            total = round(marker.seconds + seconds, 3)
            Marker(marker.provenance, total, marker.runs, "").write(self.partial)

    def wipe_partial(self) -> None:
        """Remove the partial folder."""
        shutil.rmtree(self.partial)

    def commit(self, provenance: Provenance, seconds: float) -> None:
        """Record what is in the partial folder and put it in its place, the old one's included."""
        marker = Marker.read(self.partial)
        files = list_files(self.partial)
        StageRecord(
            stage=self.stage.name,
            key=provenance.key,
            provenance=provenance,
            output=content_hash(self.partial, files),
            files=files,
            seconds=round(seconds + (marker.seconds if marker else 0.0), 3),
            runs=marker.runs if marker else 1,
            version=asr.__version__,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        ).write(self.partial)
        self._put_in_place()

    def adopt(self, finished: Path, provenance: Provenance) -> str:
        """Take over what another experiment has made from the same provenance.

        Files are hard links where the disk can: nothing here is ever written to in its place.

        Returns:
            What became of earlier work, as `open_partial` does.
        """
        notice = self._set_earlier_work_aside(provenance)
        if self.partial.exists():
            self.wipe_partial()
        shutil.copytree(
            finished,
            self.partial,
            ignore=lambda folder, _: {RECORD} if Path(folder) == finished else set(),
            copy_function=_link_or_copy,
        )
        # The record last: with it the folder counts as whole, see `recover`.
        _link_or_copy(str(finished / RECORD), str(self.partial / RECORD))
        self._put_in_place()
        return notice

    def _put_in_place(self) -> None:
        """Every step leaves a state that `recover` completes."""
        (self.partial / MARKER).unlink(missing_ok=True)
        if self.finished.exists():
            if self._old.exists():
                shutil.rmtree(self._old)
            self.finished.rename(self._old)
        self.partial.rename(self.finished)
        if self._old.exists():
            shutil.rmtree(self._old)

    def _set_earlier_work_aside(self, provenance: Provenance) -> str:
        if not self.partial.exists():
            return ""
        if not self.stage.resumable or not any(self.partial.iterdir()):
            self.wipe_partial()
            return ""
        marker = Marker.read(self.partial)
        if marker and marker.provenance.key == provenance.key:
            return ""
        kept = _free(self._aside(marker.provenance.key if marker else "unknown"))
        self.partial.rename(kept)
        why = "; ".join(changes(marker.provenance, provenance)) if marker else "of unknown origin"
        return f"starting anew ({why}); the unfinished work is kept in {kept.name}, yours to delete"

    def _aside(self, key: str) -> Path:
        return self.partial.with_name(f"{self.partial.name}.{key[:8]}")


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that is not taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, target)
