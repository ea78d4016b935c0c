"""`asr transcribe`: recordings in, text out."""

import sys
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


def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Recordings: wav, flac, ogg, opus, mp3.")],
    *,
    model: ModelOption,
    no_lm: GreedyOption = False,
    beam: BeamOption = None,
    lm_weight: LmWeightOption = None,
    hotwords: HotwordsOption = None,
    hotword_bonus: HotwordBonusOption = 8.0,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Print the transcript of each of FILES, one line a file, with its path where there are many.

    A file that cannot be transcribed is named on stderr; the others are transcribed all the same,
    and the exit status is 2.
    """
    from asr.errors import AsrError
    from asr.recognizer import Recognizer
    from asr.training.distributed import choose_device

    options = decoding_options(
        greedy=no_lm,
        beam=beam,
        lm_weight=lm_weight,
        hotwords=hotwords,
        bonus=hotword_bonus,
    )
    recognizer = Recognizer.load(model, choose_device(device.value), options)
    failed = 0
    for path in files:
        try:
            text = recognizer.transcribe_file(path).text
        except AsrError as error:
            print(f"asr: {error}", file=sys.stderr)
            failed += 1
            continue
        print(f"{path}\t{text}" if len(files) > 1 else text, flush=True)
    if failed:
        if len(files) > 1:
            print(f"asr: {failed} of {len(files)} files not transcribed", file=sys.stderr)
        raise typer.Exit(2)
