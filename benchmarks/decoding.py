"""How fast log-probabilities become words: greedy, and beam searches of several widths.

    python benchmarks/decoding.py

Made-up sentences of a made-up language (a lexicon of 200,000 words, whose frequencies fall as those
of real words do), and log-probabilities of 500 frames that a mediocre model could have emitted. In
the same run, where it is installed, the decoder of the wheel `ctc-beam-decoder`, with the same
language model, log-probabilities and beam. One process, one thread.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.greedy import greedy_decode
from asr.decoding.lexicon import spell
from asr.lm.arpa import write_arpa
from asr.lm.packed import write_packed
from asr.lm.settings import NgramSettings
from asr.lm.training import train_ngrams
from asr.scoring.error_rate import sum_counts, word_errors
from asr.tokens import Characters

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FRAMES = 500
TOKENS = Characters(" '" + LETTERS)
LM_WEIGHT, WORD_BONUS, THRESHOLD = 0.5, 1.5, 25.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utterances", type=int, default=10)
    parser.add_argument("--words", type=int, default=200_000, help="of the lexicon")
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 50, 200])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(1)
    lexicon = make_words(chosen.words, chance)
    texts = [sentence(lexicon, chance) for _ in range(60_000)]
    said = texts[: chosen.utterances]
    emissions = [emit(text, seed) for seed, text in enumerate(said)]
    with tempfile.TemporaryDirectory() as folder:
        packed, arpa = estimate(Path(folder), texts, lexicon)
        print(f"{len(said)} utterances of {FRAMES} frames, lexicon of {len(lexicon):,} words")
        print(f"{'':<34} {'frames/s':>10} {'WER':>8}")
        report("greedy", lambda rows: greedy_decode(rows, TOKENS).text, emissions, said)
        started = time.perf_counter()
        with_lm = BeamDecoder(
            TOKENS, BeamSettings(), lexicon=spell(lexicon, TOKENS), language_model=packed
        )
        loading = time.perf_counter() - started
        without = BeamDecoder(TOKENS, BeamSettings())
        theirs = build_theirs(arpa, lexicon)
        for beam in chosen.beams:
            settings = BeamSettings(
                beam=beam, threshold=THRESHOLD, lm_weight=LM_WEIGHT, word_bonus=WORD_BONUS
            )
            report(f"beam {beam}", best_of(without.with_settings(settings)), emissions, said)
            name = f"beam {beam}, lexicon and 3-gram"
            report(name, best_of(with_lm.with_settings(settings)), emissions, said)
            if theirs:
                name = f"ctc-beam-decoder, beam {beam}, 3-gram"
                report(name, theirs(beam), emissions, said)
        print(f"reading the language model and the lexicon took {loading:.1f} s")


def make_words(count: int, chance: random.Random) -> list[str]:
    """Different words, the first of which will be frequent and are short."""
    words: dict[str, None] = {}
    while len(words) < count:
        longest = 3 + len(words) ** 0.2
        length = max(1, min(14, round(chance.gauss(longest, 1.5))))
        words["".join(chance.choices(LETTERS, k=length))] = None
    return list(words)


def sentence(lexicon: Sequence[str], chance: random.Random) -> str:
    """12 words; the n-th most frequent is n times as rare as the first (Zipf)."""
    most = np.log(len(lexicon))
    return " ".join(lexicon[int(np.exp(chance.uniform(0, most))) - 1] for _ in range(12))


def emit(text: str, seed: int) -> Tensor:
    """Log-probabilities (500, V): each letter for some frames, some of them mistaken."""
    generator = torch.Generator().manual_seed(seed)
    ids = TOKENS.encode(text)[: FRAMES // 4]
    logits = torch.randn(FRAMES, len(TOKENS), generator=generator)
    logits[:, 0] += 6
    for place, token in enumerate(ids):
        frame = round((place + 0.5) * FRAMES / len(ids))
        logits[frame, 0] -= 4
        logits[frame, token] += 6
        other = int(torch.randint(2, len(TOKENS), (), generator=generator))
        logits[frame, other] += float(torch.rand((), generator=generator)) * 7
    return logits.log_softmax(1)


def estimate(folder: Path, texts: Sequence[str], lexicon: Sequence[str]) -> tuple[Path, Path]:
    """A 3-gram over the whole lexicon, packed and as an ARPA file."""
    (folder / "text").write_text("\n".join(texts))
    settings = NgramSettings(order=3)
    model = train_ngrams([folder / "text"], settings, vocabulary=lexicon).model
    write_packed(folder / "lm.safetensors", model)
    write_arpa(folder / "lm.arpa", model, lambda _: None)
    return folder / "lm.safetensors", folder / "lm.arpa"


def best_of(decoder: BeamDecoder) -> Callable[[Tensor], str]:
    """The text of the best hypothesis."""
    return lambda rows: decoder(rows)[0].text


def build_theirs(
    path: Path, lexicon: Sequence[str]
) -> Callable[[int], Callable[[Tensor], str]] | None:
    """ctc-beam-decoder with the same weights, by the width of the beam."""
    try:
        from ctc_beam_decoder import build_ctcdecoder
    except ImportError:
        print("ctc-beam-decoder is not installed: its rows are left out")
        return None
    labels = ["", *TOKENS.symbols[1:]]
    decoder = build_ctcdecoder(labels, str(path), list(lexicon), alpha=LM_WEIGHT, beta=WORD_BONUS)
    return lambda beam: (
        lambda rows: decoder.decode(rows.numpy(), beam_width=beam, beam_prune_logp=-THRESHOLD)
    )


def report(
    name: str, decode: Callable[[Tensor], str], emissions: Sequence[Tensor], said: Sequence[str]
) -> None:
    """Time a decoder on all utterances, after one that is not counted."""
    decode(emissions[0])
    started = time.perf_counter()
    texts = [decode(rows) for rows in emissions]
    took = time.perf_counter() - started
    counts = sum_counts(word_errors(*pair) for pair in zip(said, texts, strict=True))
    print(f"{name:<34} {FRAMES * len(emissions) / took:10.0f} {counts.rate:8.1%}")


if __name__ == "__main__":
    main()
