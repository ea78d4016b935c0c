"""A live session: a stream on standard input, results on standard output."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from asr.bundle import load_bundle
from asr.emission_decoder import DecodingOptions, EmissionDecoder
from asr.errors import ConfigError
from asr.live.pcm import read_pcm
from asr.live.transcriber import LiveTranscriber, Result


def run_live(
    model: Path, device: torch.device | str, options: DecodingOptions, *, format: str
) -> None:
    """Transcribe standard input while it comes.

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
    bundle = load_bundle(model, device)
    live = LiveTranscriber(bundle, EmissionDecoder.load(model, options))
    if not live.exact:
        print(
            "asr: this model hears what is not final yet anew each time, since it is bidirectional "
            "or normalises whole utterances; results are final at pauses",
            file=sys.stderr,
        )
    for samples in read_pcm(sys.stdin.buffer, bundle.features.sample_rate):
        for result in live.add(samples):
            _write(result, format)
    for result in live.finish():
        _write(result, format)


def _write(result: Result, format: str) -> None:
    if format == "jsonl":
        print(json.dumps(_to_json(result), ensure_ascii=False), flush=True)
    elif result.final:
        print(result.text, flush=True)


def _to_json(result: Result) -> dict[str, Any]:
    return {
        "final": result.final,
        "text": result.text,
        "words": [
            {
                "text": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in result.words
        ],
    }
