"""A live session: a stream on standard input, results on standard output."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import torch

from asr.bundle import load_bundle
from asr.emission_decoder import DecodingOptions, EmissionDecoder
from asr.errors import ConfigError
from asr.live.pcm import read_pcm
from asr.live.transcriber import LiveTranscriber, Result
from asr.sources import STANDARD_INPUT
from asr.standard_input import refuse_terminal

_Piece = TypeVar("_Piece")


def run_live(
    model: Path, device: torch.device | str, options: DecodingOptions, *, format: str
) -> None:
    """Transcribe standard input while it comes, to its end or to Ctrl-C.

    Both end it alike: what was heard till then is delivered.

    Args:
        model: its folder.
        device: where it computes.
        options: of decoding.
        format: txt writes final results, a line each; jsonl partial ones, too, as objects.

    Raises:
        ConfigError: another format.
        AudioError: standard input is no sound.
    """
    if format not in ("txt", "jsonl"):
        raise ConfigError(f"--format {format}: a stream is written as txt or jsonl")
    refuse_terminal(sys.stdin.buffer)
    bundle = load_bundle(model, device)
    live = LiveTranscriber(bundle, EmissionDecoder.load(model, options, bundle.text_side))
    if not live.exact:
        print(
            "asr: this model hears what is not final yet anew each time, since it is bidirectional "
            "or normalises whole utterances; results are final at pauses",
            file=sys.stderr,
        )
    pieces = read_pcm(sys.stdin.buffer, bundle.features.sample_rate)
    for samples in _until_interrupted(pieces):
        for result in live.add(samples):
            _write(result, format)
    for result in live.finish():
        _write(result, format)


def _until_interrupted(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """The pieces until Ctrl-C, which interrupts the reading, but not what is done with a piece.

    A second Ctrl-C interrupts that, too.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield from pieces
        return
    reading = stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if reading or stopped:
            stopped = True
            raise KeyboardInterrupt
        stopped = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        while not stopped:
            try:
                reading = True
                piece = next(pieces)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                reading = False
            yield piece
    finally:
        signal.signal(signal.SIGINT, before)


def _write(result: Result, format: str) -> None:
    if format == "jsonl":
        print(json.dumps(_to_json(result), ensure_ascii=False), flush=True)
    elif result.final:
        print(result.text, flush=True)


def _to_json(result: Result) -> dict[str, Any]:
    words = result.words
    times = {"start": round(words[0].start, 3), "end": round(words[-1].end, 3)} if words else {}
    return {
        "name": STANDARD_INPUT,
        "final": result.final,
        **times,
        "text": result.text,
        "words": [
            {
                "text": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in words
        ],
    }
