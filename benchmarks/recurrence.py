"""The bidirectional LSTM without packing beside torch's packed one: time of a training step.

    python benchmarks/recurrence.py [--frames 200] [--repeats 1]

Both get the same padded batch. Times are the fastest of the repeats; their ratio is what counts.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from asr.encoder.recurrent import RecurrentLayer


def main() -> None:
    """Print the times, their ratios, and what padding does to the output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    inputs = torch.randn(chosen.batch, chosen.frames, chosen.hidden)
    lengths = torch.linspace(chosen.frames, chosen.frames // 2, chosen.batch).long()
    ours = nn.ModuleList(
        RecurrentLayer(
            "lstm",
            chosen.hidden if number == 0 else 2 * chosen.hidden,
            chosen.hidden,
            bidirectional=True,
        )
        for number in range(chosen.layers)
    )
    packed = nn.LSTM(
        chosen.hidden, chosen.hidden, chosen.layers, bidirectional=True, batch_first=True
    )

    def run_ours() -> Tensor:
        outputs = inputs
        for layer in ours:
            outputs = layer(outputs, lengths)
        return outputs

    def run_packed() -> Tensor:
        sequences = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(packed(sequences)[0], batch_first=True)[0]

    def run_half() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return run_ours().float()

    shape = f"{chosen.batch} x {chosen.frames} frames, {chosen.layers} x {chosen.hidden}"
    print(f"bidirectional LSTM, {shape}, {torch.get_num_threads()} threads, forward and backward")
    reference = seconds(run_packed, packed, chosen.repeats)
    print(f"{'packed nn.LSTM, float32':<28} {reference:8.2f} s    1.0 x")
    for name, step in {"unpacked, float32": run_ours, "unpacked, bfloat16": run_half}.items():
        took = seconds(step, ours, chosen.repeats)
        print(f"{name:<28} {took:8.2f} s {reference / took:6.1f} x")
    print(f"largest change of an output when padding is added: {padding_difference(ours[0]):.1e}")


def seconds(step: Callable[[], Tensor], model: nn.Module, repeats: int) -> float:
    """Fastest of a few forward and backward passes, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        model.zero_grad()
        start = time.perf_counter()
        step().square().mean().backward()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def padding_difference(layer: nn.Module) -> float:
    """An utterance alone, and the same one padded with noise beside a longer one."""
    size = layer.ahead.input_size
    alone, longer = torch.randn(1, 50, size), torch.randn(1, 90, size)
    padded = torch.cat([alone, torch.randn(1, 40, size)], dim=1)
    with torch.inference_mode():
        single = layer(alone, torch.tensor([50]))
        batch = layer(torch.cat([padded, longer]), torch.tensor([50, 90]))
    return float((single[0] - batch[0, :50]).abs().max())


if __name__ == "__main__":
    main()
