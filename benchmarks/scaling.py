"""What a training step costs, in time and memory, as batch, layers, hidden size, processes grow.

    python benchmarks/scaling.py [--over layers]

Each line is measured in a process of its own, so that its peak memory is its own (Linux and macOS
only). Whole steps of random data, as training itself takes them: encoder, CTC loss, clipping,
AdamW, in bfloat16 where the hardware has it.
"""

import argparse
import json
import resource
import subprocess
import sys

import torch
from steps import FACTOR, fastest_step, random_batch

from asr.training.companions import companions

SECONDS = 10
BASE = {"utterances": 8, "layers": 3, "hidden": 256, "processes": 1}
VARIED = {
    "utterances": [2, 4, 8, 16, 32],
    "layers": [1, 2, 3, 4],
    "hidden": [128, 256, 384, 512],
    "processes": [1, 2],
}


def main() -> None:
    """Print a table for each thing that varies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--over", choices=VARIED, action="append", help="only this; repeatable")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(**json.loads(chosen.one))))
        return
    print(
        f"{', '.join(f'{key} {value}' for key, value in BASE.items())}, unless varied; utterances"
    )
    print(f"of {SECONDS} s for each process, subsampling {FACTOR}, one thread a process")
    for key in chosen.over or VARIED:
        print(f"\n{key:>12} {'step':>9} {'x real time':>12} {'peak memory':>14}")
        for value in VARIED[key]:
            setting = BASE | {key: value}
            found = in_a_process_of_its_own(setting)
            audio = setting["utterances"] * SECONDS * setting["processes"]
            print(
                f"{value:12d} {found['seconds']:7.3f} s {audio / found['seconds']:12.0f} "
                f"{found['mebibytes']:10.0f} MiB"
            )


def in_a_process_of_its_own(setting: dict[str, int]) -> dict[str, float]:
    """Measure one setting."""
    command = [sys.executable, __file__, "--one", json.dumps(setting)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(utterances: int, layers: int, hidden: int, processes: int) -> dict[str, float]:
    """Seconds of a step, and the peak memory of one process."""
    torch.set_num_threads(1)
    with companions(processes - 1, one_batch_each, utterances, layers, hidden, processes):
        seconds = one_batch_each(utterances, layers, hidden, processes)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {"seconds": seconds, "mebibytes": peak}


def one_batch_each(utterances: int, layers: int, hidden: int, processes: int) -> float:
    """Seconds of a step with a batch for each process."""
    batches = [random_batch(utterances, 100 * SECONDS) for _ in range(processes)]
    return fastest_step(batches, layers=layers, hidden=hidden, repeats=5)


if __name__ == "__main__":
    main()
