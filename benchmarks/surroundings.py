"""What a model makes of the same speech in noise, in rooms and over the telephone.

    python benchmarks/surroundings.py --model asr/models/english --manifest dev.jsonl

The noise, of a random colour, the rooms and the telephone are those of `asr.augment`, other ones
for each utterance, and the same for every model: the seed is fixed. They are made up, so that the
figures compare models, and say little of any real room.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from asr.augment.settings import AugmentSettings, BandSettings, NoiseSettings, ReverbSettings
from asr.dataset import SpeechDataset
from asr.emission_decoder import EmissionDecoder
from asr.manifest import read_manifest
from asr.recognizer import Recognizer, decoding_pool
from asr.scoring.error_rate import sum_counts, word_errors

QUIET = AugmentSettings(speeds=(1.0,), frequency_masks=0, time_masks_per_second=0)
LITTLE = NoiseSettings(probability=1, snr=(15, 25))
MUCH = NoiseSettings(probability=1, snr=(5, 15))
ROOMS = ReverbSettings(probability=1, rt60=(0.3, 0.7), direct_db=(0, 6))
TELEPHONE = BandSettings(probability=1)
SURROUNDINGS = {
    "as it is": QUIET,
    "noise, 15 to 25 dB": QUIET.model_copy(update={"noise": LITTLE}),
    "noise, 5 to 15 dB": QUIET.model_copy(update={"noise": MUCH}),
    "rooms, 0.3 to 0.7 s": QUIET.model_copy(update={"reverb": ROOMS}),
    "telephone, 300 to 3400 Hz": QUIET.model_copy(update={"band": TELEPHONE}),
}
SEED = 1
TOGETHER = 16  # utterances in a batch


@dataclass(frozen=True)
class Heard:
    """A manifest with something around it."""

    dataset: SpeechDataset
    recognizer: Recognizer

    def log_probs(self) -> Iterator[tuple[int, Tensor]]:
        """Each utterance, as the model hears it."""
        for start in range(0, len(self.dataset), TOGETHER):
            places = range(start, min(start + TOGETHER, len(self.dataset)))
            features = [self.dataset.example(place, 0).features for place in places]
            yield from zip(places, self.recognizer.log_probs(features), strict=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    chosen = parser.parse_args()
    recognizer = Recognizer.load(chosen.model)
    bundle = recognizer.bundle
    utterances = sorted(read_manifest(chosen.manifest), key=lambda one: one.duration)
    references = [bundle.normalizer(one.text or "") for one in utterances]
    decode = EmissionDecoder.load(chosen.model)
    print(f"{'':<28} {'WER':>8}  substituted  deleted  inserted  of {len(utterances)} utterances")
    with decoding_pool(chosen.model, None, len(utterances)) as pool:
        for name, around in SURROUNDINGS.items():
            dataset = SpeechDataset(
                utterances,
                bundle.front_end,
                tokens=bundle.tokens,
                normalizer=bundle.normalizer,
                augment=around,
                seed=SEED,
                lenient=True,
            )
            heard = Heard(dataset, recognizer).log_probs()
            answers = (
                ((place, decode(rows)) for place, rows in heard)
                if pool is None
                else pool.decode(heard)
            )
            counts = sum_counts(
                word_errors(references[place], answer.text) for place, answer in answers
            )
            print(
                f"{name:<28} {counts.rate:>8.2%}  {counts.substitutions:>11}  "
                f"{counts.deletions:>7}  {counts.insertions:>8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
