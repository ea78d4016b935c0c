"""How fast a training step is, beside what it could be; and what a busy machine does to it.

    python benchmarks/training.py                 # the step
    python benchmarks/training.py --busy          # the same work, alone and beside other programs
    python benchmarks/training.py --epoch         # whole epochs, data included, beside the steps

All of it is random data of the stated shape. Times are the fastest of the repeats; within one run
their ratios are what counts. The step is the recurrent layers, forward and backward:

    packed     torch's bidirectional nn.LSTM over packed sequences
    ours       two one-way passes a layer, over padded sequences
    products   nothing but the matrix products of the same shapes: what no step can beat

With --busy it is whole training steps, as training itself takes them, in four arrangements: all
threads in one process, which wait for each other by spinning or passively; one thread; and one
process a core with one thread each.

With --epoch it is the epochs of one process over recordings of noise: first their features are
made, then they come from memory, unless noise and rooms make others in every epoch; and the same
steps with all batches at hand.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from epochs import print_epochs, write_utterances
from steps import FACTOR, fastest_step, random_batch
from torch import Tensor, nn

from asr.encoder.recurrent import RecurrentLayer
from asr.training.companions import companions

ARRANGEMENTS = {
    "threads": "1 process, {cores} threads",
    "passive": "the same, waiting passively",
    "one": "1 process, 1 thread",
    "processes": "{cores} processes, 1 thread each",
}


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32, help="utterances")
    parser.add_argument("--frames", type=int, default=400, help="encoder frames of each")
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--busy", action="store_true", help="compare arrangements of threads")
    parser.add_argument("--epoch", action="store_true", help="whole epochs, data included")
    parser.add_argument("--utterances", type=int, default=400, help="of --epoch")
    parser.add_argument("--arrangement", help=argparse.SUPPRESS)  # what --busy starts
    chosen = parser.parse_args()
    if chosen.arrangement:
        print(json.dumps(speed_here(chosen)))
    elif chosen.epoch:
        with tempfile.TemporaryDirectory() as folder:
            utterances = write_utterances(Path(folder), chosen.utterances)
            device = torch.device(chosen.device)
            print_epochs(utterances, device, layers=chosen.layers, hidden=chosen.hidden)
    elif chosen.busy:
        compare_arrangements(chosen)
    else:
        compare_steps(chosen)


def compare_steps(chosen: argparse.Namespace) -> None:
    """Ours beside torch's packed layers and beside the matrix products alone."""
    torch.manual_seed(0)
    device = torch.device(chosen.device)
    inputs = torch.randn(chosen.batch, chosen.frames, chosen.hidden, device=device)
    lengths = torch.linspace(chosen.frames, chosen.frames // 2, chosen.batch).long()
    sizes = [chosen.hidden] + [2 * chosen.hidden] * (chosen.layers - 1)
    ours = nn.ModuleList(
        RecurrentLayer("lstm", size, chosen.hidden, bidirectional=True) for size in sizes
    ).to(device)
    packed = nn.LSTM(
        chosen.hidden, chosen.hidden, chosen.layers, bidirectional=True, batch_first=True
    ).to(device)

    def run_ours() -> None:
        outputs = inputs
        for layer in ours:
            outputs = layer(outputs, lengths.to(device))
        outputs.float().square().mean().backward()

    def run_packed() -> None:
        sequences = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
        padded = nn.utils.rnn.pad_packed_sequence(packed(sequences)[0], batch_first=True)[0]
        padded.float().square().mean().backward()

    print(
        f"bidirectional LSTM, {chosen.batch} x {chosen.frames} frames, {chosen.layers} x "
        f"{chosen.hidden}, {device}, {torch.get_num_threads()} threads, forward and backward"
    )
    # Packed on a CPU takes a minute: once is enough.
    reference = seconds(run_packed, packed, 1 if device.type == "cpu" else chosen.repeats)
    print(f"{'packed nn.LSTM, float32':<28} {reference:8.3f} s    1.0 x")
    for name, dtype in {"float32": torch.float32, "bfloat16": torch.bfloat16}.items():
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
            took = seconds(run_ours, ours, chosen.repeats)
        floor = products(chosen, sizes, dtype, device)
        print(f"{f'ours, {name}':<28} {took:8.3f} s {reference / took:6.1f} x")
        print(
            f"{f'products alone, {name}':<28} {floor:8.3f} s   ours reach {floor / took:.0%} of it"
        )
    print(f"largest change of an output when padding is added: {padding_difference(ours[0]):.1e}")


def products(
    chosen: argparse.Namespace, sizes: list[int], dtype: torch.dtype, device: torch.device
) -> float:
    """Seconds of the matrix products that both directions of all layers need."""
    rows, gates = chosen.batch * chosen.frames, 4 * chosen.hidden

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=dtype, device=device)

    state, recurrent = random(chosen.batch, chosen.hidden), random(chosen.hidden, gates)
    of_a_frame, of_all = random(chosen.batch, gates), random(rows, gates)
    states = random(rows, chosen.hidden)
    layers = [(random(rows, size), random(size, gates)) for size in sizes]

    def run() -> None:
        for number, (inputs, weights) in enumerate(layers * 2):
            torch.mm(inputs, weights)
            for _ in range(chosen.frames):
                torch.mm(state, recurrent)
            for _ in range(chosen.frames):
                torch.mm(of_a_frame, recurrent.T)
            if number % len(layers):  # the first layer's inputs want no gradient
                torch.mm(of_all, weights.T)
            torch.mm(of_all.T, inputs)
            torch.mm(of_all.T, states)

    return seconds(run, None, chosen.repeats)


def compare_arrangements(chosen: argparse.Namespace) -> None:
    """Speed of whole training steps alone, and beside a program that keeps a core busy."""
    cores = torch.get_num_threads()
    print("seconds of audio a second; the step is the same in all: two batches of")
    print(f"{chosen.batch // 2} x {chosen.frames * FACTOR} feature frames")
    print(f"{'':<28} {'alone':>8} {'busy':>8}")
    for name, words in ARRANGEMENTS.items():
        alone = speed_of(name, chosen)
        with busy_core():
            beside = speed_of(name, chosen)
        print(f"{words.format(cores=cores):<28} {alone:8.0f} {beside:8.0f}  {beside / alone:4.0%}")


def speed_of(arrangement: str, chosen: argparse.Namespace) -> float:
    """Measure an arrangement in a fresh process: threads once started never quite go away."""
    options = ["batch", "frames", "hidden", "layers", "repeats"]
    arguments = [f"--{option}={getattr(chosen, option)}" for option in options]
    done = subprocess.run(
        [sys.executable, __file__, f"--arrangement={arrangement}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | ({"OMP_WAIT_POLICY": "passive"} if arrangement == "passive" else {}),
    )
    return float(json.loads(done.stdout))


def speed_here(chosen: argparse.Namespace) -> float:
    """Seconds of audio a second in this process and its companions."""
    count = torch.get_num_threads() - 1 if chosen.arrangement == "processes" else 0
    if chosen.arrangement == "one":
        torch.set_num_threads(1)
    work = (chosen.batch // 2, chosen.frames * FACTOR, chosen.layers, chosen.hidden, chosen.repeats)
    with companions(count, two_batches, *work):
        took = two_batches(*work)
    return float(chosen.batch * chosen.frames * FACTOR * 0.01 / took)


def two_batches(utterances: int, frames: int, layers: int, hidden: int, repeats: int) -> float:
    """Seconds of a step of two batches, shared among the processes that there are."""
    torch.manual_seed(0)
    batches = [random_batch(utterances, frames) for _ in range(2)]
    return fastest_step(batches, layers=layers, hidden=hidden, repeats=repeats)


@contextmanager
def busy_core() -> Iterator[None]:
    """Another program that never rests."""
    other = multiprocessing.get_context("spawn").Process(target=never_rest, daemon=True)
    other.start()
    try:
        yield
    finally:
        other.terminate()
        other.join()


def never_rest() -> None:
    """Count, until killed."""
    number = 0
    while True:
        number += 1


def seconds(step: Callable[[], object], model: nn.Module | None, repeats: int) -> float:
    """Fastest of a few runs, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        if model is not None:
            model.zero_grad()
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def padding_difference(layer: nn.Module) -> float:
    """An utterance alone, and the same one padded with noise beside a longer one."""
    there = next(layer.parameters()).device
    size = layer.ahead.input_size
    alone, longer = torch.randn(1, 50, size), torch.randn(1, 90, size)
    padded = torch.cat([alone, torch.randn(1, 40, size)], dim=1)
    with torch.inference_mode():
        single = layer(alone.to(there), torch.tensor([50], device=there))
        batch = layer(torch.cat([padded, longer]).to(there), torch.tensor([50, 90], device=there))
    return float((single[0] - batch[0, :50]).abs().max())


if __name__ == "__main__":
    main()
