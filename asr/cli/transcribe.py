"""`asr transcribe`: recordings in, text out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
    channels: Annotated[
        Channels, typer.Option(help="Mix channels, or transcribe each by itself.")
    ] = Channels.MIX,
    stream: Annotated[
        bool, typer.Option("--stream", help="Transcribe - while it comes: WAV or 16-bit samples.")
    ] = False,
    line_length: Annotated[int, typer.Option(min=1, help="Characters a subtitle line.")] = 42,
    lines: Annotated[int, typer.Option(min=1, help="Lines a subtitle.")] = 2,
    no_lm: GreedyOption = False,
    beam: BeamOption = None,
    lm_weight: LmWeightOption = None,
    hotwords: HotwordsOption = None,
    hotword_bonus: HotwordBonusOption = 8.0,
    device: DeviceOption = Device.AUTO,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU; else all.")] = None,
) -> None:
    """Write what is said in recordings of any length and format.

    Without --format the text goes to standard output, a line a recording, with its name where
    there are several. A recording that cannot be transcribed is named on stderr; the others are
    transcribed all the same, and the exit status is 2.
    """
    import torch

    from asr.errors import ConfigError
    from asr.shipped import choose_model
    from asr.sources import STANDARD_INPUT
    from asr.training.distributed import choose_device
    from asr.transcript.cues import CueSettings
    from asr.transcript.delivery import Delivery

    folder = choose_model(model)
    options = decoding_options(
        greedy=no_lm, beam=beam, lm_weight=lm_weight, hotwords=hotwords, bonus=hotword_bonus
    )
    names = tuple(name.strip() for name in (formats or "").split(",") if name.strip())
    cues = CueSettings(line_length=line_length, lines=lines)
    delivery = Delivery(names, output, output_dir, cues)
    if threads is not None:
        torch.set_num_threads(threads)
    where = choose_device(device.value)
    if stream:
        from asr.live.session import run_live

        if files != [STANDARD_INPUT] or files_from or output or output_dir:
            raise ConfigError(
                "--stream writes what comes on - to standard output: asr transcribe --stream -"
            )
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
    ):
        raise typer.Exit(2)
