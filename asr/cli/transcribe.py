"""`asr transcribe`: recordings in, text out."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import (
    BeamOption,
    Device,
    DeviceOption,
    GreedyOption,
    HotwordBonusOption,
    HotwordsOption,
    LmWeightOption,
    ModelOption,
    decoding_options,
)

if TYPE_CHECKING:
    from asr.transcript.cues import CueSettings
    from asr.transcript.delivery import Delivery


class Channels(StrEnum):
    """What becomes of several channels."""

    MIX = "mix"
    SPLIT = "split"


def transcribe(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings, folders of them, patterns ('a/*.mp3'), manifests (.jsonl), or -."
        ),
    ] = None,
    *,
    model: ModelOption = None,
    files_from: Annotated[
        str | None, typer.Option(help="A file with a path on each line; - is standard input.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="txt, json, jsonl, srt, vtt, tsv, ctm, textgrid: srt,json."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the one transcript.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder that gets a file for each transcript.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Overwrite files beside the recordings, with --output-dir."),
    ] = False,
    channels: Annotated[
        Channels, typer.Option(help="Mix channels, or transcribe each by itself.")
    ] = Channels.MIX,
    stream: Annotated[
        bool, typer.Option("--stream", help="Transcribe - while it comes: WAV or 16-bit samples.")
    ] = False,
    line_length: Annotated[
        int | None, typer.Option(min=1, help="Characters a line of srt and vtt: 42 if not said.")
    ] = None,
    lines: Annotated[
        int | None, typer.Option(min=1, help="Lines a subtitle of srt and vtt: 2 if not said.")
    ] = None,
    no_lm: GreedyOption = False,
    beam: BeamOption = None,
    lm_weight: LmWeightOption = None,
    hotwords: HotwordsOption = None,
    hotword_bonus: HotwordBonusOption = None,
    device: DeviceOption = Device.AUTO,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the CPU, and processes of the search; else all.")
    ] = None,
) -> None:
    """Write what is said in recordings of any length and format.

    Without --format the text goes to standard output, a line a recording, with its name where
    there are several. A recording that cannot be transcribed is named on stderr; the others are
    transcribed all the same, and the exit status is 2. Ctrl-C leaves no file half written; it ends
    --stream as the end of the stream would.
    """
    from asr.shipped import choose_model

    folder = choose_model(model)
    with _unpacked_ahead(folder, greedy=no_lm):
        import torch

        from asr.training.distributed import choose_device
        from asr.transcript.delivery import Delivery

        options = decoding_options(
            greedy=no_lm, beam=beam, lm_weight=lm_weight, hotwords=hotwords, bonus=hotword_bonus
        )
        names = tuple(name.strip() for name in (formats or "").split(",") if name.strip())
        delivery = Delivery(names, output, output_dir, force, _cues(names, line_length, lines))
        if stream:
            _refuse_beside_stream(files, files_from, delivery, channels)
        if threads is not None:
            torch.set_num_threads(threads)
        where = choose_device(device.value)
        if stream:
            from asr.live.session import run_live

            run_live(folder, where, options, format=names[0] if names else "txt")
            return
        from asr.transcription.files import transcribe_files

        if not transcribe_files(
            files or [],
            files_from,
            model=folder,
            device=where,
            options=options,
            split=channels is Channels.SPLIT,
            delivery=delivery,
            threads=threads,
        ):
            raise typer.Exit(2)


def _unpacked_ahead(folder: Path, *, greedy: bool) -> AbstractContextManager[None]:
    """What takes longest at the start, a large language model and torch, both at once."""
    if greedy:
        return nullcontext()
    from asr.decoding.language_model import LANGUAGE_MODEL, unpacked_ahead

    path = folder / LANGUAGE_MODEL
    return unpacked_ahead(path) if path.is_file() else nullcontext()


def _cues(names: Sequence[str], line_length: int | None, lines: int | None) -> "CueSettings":
    """The size of subtitles. Raises ConfigError where none are written."""
    from asr.errors import ConfigError
    from asr.transcript.cues import CueSettings

    given = {"line_length": line_length, "lines": lines}
    known = {key: value for key, value in given.items() if value is not None}
    if known and not {"srt", "vtt"} & set(names):
        raise ConfigError(
            "--line-length and --lines are the size of subtitles; give them with --format srt or "
            "vtt, or leave them out"
        )
    return CueSettings(**known)


def _refuse_beside_stream(
    files: list[str] | None, files_from: str | None, delivery: "Delivery", channels: Channels
) -> None:
    """Raise ConfigError for what a stream cannot obey."""
    from asr.errors import ConfigError
    from asr.sources import STANDARD_INPUT

    if files != [STANDARD_INPUT] or files_from or delivery.file or delivery.folder:
        raise ConfigError(
            "--stream writes what comes on - to standard output: asr transcribe --stream -"
        )
    if len(delivery.formats) > 1:
        raise ConfigError(
            f"--format {','.join(delivery.formats)}: a stream is written in one format, "
            "txt or jsonl"
        )
    if channels is Channels.SPLIT:
        raise ConfigError(
            "--channels split: --stream mixes the channels; record the parties in two streams, or "
            "transcribe the file when it is whole"
        )
