"""`asr transcribe` as a whole: start, speed, and memory at every length, beside pocketsphinx.

    python benchmarks/transcribe.py --model exp/mini --speech talk.flac

Each line is a process of its own, from Python's start to the last word. The recording is repeated
up to the length wanted. pocketsphinx (`pip install pocketsphinx`), with the English model of its
wheel, transcribes the same files up to `--sphinx-seconds`, on one core.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from long_audio import make_model, repeat, run_measured, transcribe

_SPHINX = """
import sys, soundfile
from pocketsphinx import Decoder
decoder = Decoder()
decoder.start_utt()
for block in soundfile.blocks(sys.argv[1], 16000, dtype="int16"):
    decoder.process_raw(block.tobytes(), False, False)
decoder.end_utt()
print(decoder.hyp().hypstr if decoder.hyp() else "")
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="else an untrained one, 3 x 256")
    parser.add_argument("--speech", type=Path, help="a recording to repeat; else noise")
    parser.add_argument("--seconds", type=float, nargs="+", default=[3, 600, 3600, 36000])
    parser.add_argument("--sphinx-seconds", type=float, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.model or make_model(Path(folder) / "model")
        print(f"{'':<24} {'sound':>8} {'took':>9} {'x real time':>12} {'peak':>9}")
        for seconds in chosen.seconds:
            path = repeat(Path(folder) / "sound.wav", seconds, chosen.speech)
            cost = transcribe(model, path)
            report("asr transcribe", seconds, cost.seconds, cost.megabytes)
            if importlib.util.find_spec("pocketsphinx") and seconds <= chosen.sphinx_seconds:
                cost = run_measured([sys.executable, "-c", _SPHINX, str(path)])
                report("pocketsphinx", seconds, cost.seconds, cost.megabytes)


def report(name: str, seconds: float, took: float, megabytes: float) -> None:
    """Print a line."""
    print(
        f"{name:<24} {seconds:>6.0f} s {took:>7.1f} s {seconds / took:>12.1f} {megabytes:>6.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
