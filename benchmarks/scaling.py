"""What a training step costs, in time and memory, as batch, layers, hidden size, processes grow.

    python benchmarks/scaling.py [--over layers]

Each line is measured in a process of its own, so that its peak memory is its own (Linux and macOS
only). Whole steps of random data: encoder, CTC loss, clipping, AdamW, in bfloat16 where the
hardware has it.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from torch import nn

from asr.encoder.encoder import Encoder, EncoderSettings
from asr.training.companions import companions
from asr.training.distributed import join_world
from asr.training.optimizer import OptimizerSettings, build_optimizer
from asr.training.precision import uses_bfloat16

MELS, TOKENS, FACTOR, SECONDS = 64, 29, 4, 10
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
    with companions(processes - 1, fastest_step, utterances, layers, hidden):
        seconds = fastest_step(utterances, layers, hidden)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {"seconds": seconds, "mebibytes": peak}


def fastest_step(utterances: int, layers: int, hidden: int) -> float:
    """Seconds of the fastest of five steps after the first."""
    torch.manual_seed(0)
    device = torch.device("cpu")
    encoder = Encoder(
        EncoderSettings(hidden=hidden, layers=layers, factor=FACTOR), inputs=MELS, tokens=TOKENS
    )
    optimizer = build_optimizer(encoder, OptimizerSettings())
    features = torch.randn(utterances, SECONDS * 100, MELS)
    lengths = torch.full((utterances,), SECONDS * 100)
    targets = torch.randint(1, TOKENS, (utterances, 14 * SECONDS))
    target_lengths = torch.full((utterances,), targets.shape[1])
    times = []
    with join_world(device) as world:
        for _ in range(6):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16("auto", device)):
                emissions = encoder(features, lengths)
            optimizer.zero_grad()
            log_probs = emissions.log_probs.transpose(0, 1)
            nn.functional.ctc_loss(log_probs, targets, emissions.lengths, target_lengths).backward()
            world.sum_gradients(list(encoder.parameters()), torch.zeros(1))
            nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
            optimizer.step()
            times.append(time.perf_counter() - start)
    return min(times[1:])


if __name__ == "__main__":
    main()
