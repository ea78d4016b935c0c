"""What competes with a target: all other sequences of tokens, as probable as their trigrams are."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from asr.dataset import Batch
from asr.encoder.encoder import Emissions
from asr.errors import ConfigError
from asr.features import frame_mask
from asr.training.loss import ctc_losses
from asr.training.settings import TrainingData, TrainingSettings

MOST_TOKENS = 200  # each frame of an utterance takes 1.6 MB then, with what the gradient needs
_END = 0  # no token is the blank, so its place is that of the start and the end of a sentence


def refuse_many_tokens(tokens: int) -> None:
    """Raise ConfigError where there are too many tokens for the trigrams of all."""
    if tokens > MOST_TOKENS:
        raise ConfigError(
            f"training.mmi: {tokens} tokens came; expected at most {MOST_TOKENS}, since each "
            "competes after each two others, which takes memory by the cube of their number: train "
            "with phones or characters, or fewer pieces (tokens.size), or leave training.mmi out"
        )


def token_trigrams(sequences: Iterable[Sequence[int]], tokens: int) -> Tensor:
    """Estimate which token follows which two, smoothed as Witten & Bell (1991) do.

    (c(h, q) + n(h) s(q)) / (c(h) + n(h)), where c counts, n(h) is how many different tokens follow
    the history h, and s is the same of a history that is one token shorter; without any history s
    is how frequent q is, each token being counted once more than it is there.

    Args:
        sequences: of token ids, without blanks.
        tokens: in the table, the blank among them.

    Returns:
        (V, V, V) probabilities of the third after the first two; 0 is the start of a sentence as
        one that is followed, and its end as the last. Those after each two sum to 1.
    """
    threes = torch.zeros(tokens, tokens, tokens, dtype=torch.float64)
    twos = torch.zeros(tokens, tokens, dtype=torch.float64)
    for sequence in sequences:
        first, second, third = torch.tensor([_END, _END, *sequence, _END]).unfold(0, 3, 1).T
        one = torch.ones(()).double()
        threes.index_put_((first, second, third), one, accumulate=True)
        twos.index_put_((second, third), one, accumulate=True)
    frequency = twos.sum(dim=0) + 1
    return _smoothed(threes, _smoothed(twos, frequency / frequency.sum()))


def _smoothed(counts: Tensor, shorter: Tensor) -> Tensor:
    followers = (counts > 0).sum(dim=-1, keepdim=True).clamp(min=1)
    total = counts.sum(dim=-1, keepdim=True)
    return (counts + followers * shorter) / (total + followers)


class Denominator:
    """The sum over all sequences of tokens of CTC's probability times the trigrams'.

    With it the CTC loss becomes maximum mutual information without lattices (Povey et al. 2016),
    on CTC's own states (Xiang & Ou 2019, CTC-CRF).
    """

    def __init__(self, trigrams: Tensor, device: torch.device) -> None:
        """`trigrams` are `token_trigrams`."""
        self._log_probs = trigrams.log()
        there = trigrams.to(device, torch.float32)
        self._end = there[:, :, _END].clone()  # (first, second)
        self._again = there.diagonal(dim1=1, dim2=2).clone()  # (first, second), which comes again
        # (second, first, third), since all with the same second go on to the same states; the
        # first last in memory, which is three times as fast on a CPU.
        self._next = there.permute(1, 2, 0).clone(memory_format=torch.contiguous_format).mT
        self._next[:, :, _END] = 0.0

    def __call__(self, emissions: Emissions) -> Tensor:
        """(B,) log of the sum in nats, by the forward algorithm; the gradient goes through it."""
        # After its last frame an utterance says blanks, for sure: nothing changes.
        valid = frame_mask(emissions.lengths, emissions.log_probs.shape[1])[:, :, None]
        silence = torch.zeros_like(emissions.log_probs[0, 0])
        silence[0] = 1.0
        probs = torch.where(valid, emissions.log_probs.float().exp(), silence)
        # Sums over the paths whose last two tokens are these, that end in a blank and in the last.
        spoken = probs.new_zeros(len(probs), *self._end.shape)
        blank = spoken.clone()
        blank[:, _END, _END] = 1.0  # at first, a blank after the start
        scales = []
        for frame in probs.unbind(dim=1):
            after = blank + spoken
            begun = torch.bmm(after.permute(2, 0, 1), self._next).transpose(0, 1)
            again = (spoken * self._again).sum(dim=1)  # a token again needs a blank between
            spoken = frame[:, None] * (spoken + begun - torch.diag_embed(again))
            blank = frame[:, :1, None] * after
            scales.append((spoken + blank).sum(dim=(1, 2)))
            spoken, blank = (part / scales[-1][:, None, None] for part in (spoken, blank))
        ended = ((blank + spoken) * self._end).sum(dim=(1, 2))
        return torch.stack(scales, dim=1).log().sum(dim=1) + ended.log()

    def posterior_losses(self, emissions: Emissions, batch: Batch) -> Tensor:
        """Negative log-probability of each target, where it competes with all other sequences.

        Returns:
            (B,) in nats; 0 where nothing else is possible, infinite where it does not fit.
        """
        prior = [
            self._log_probs[tuple(closed.unfold(0, 3, 1).T)].sum()
            for target, length in zip(batch.targets, batch.target_lengths.tolist(), strict=True)
            for closed in [torch.nn.functional.pad(target[:length], (2, 1), value=_END)]
        ]
        found = ctc_losses(emissions, batch) + self(emissions)
        return found - torch.stack(prior).to(found)


def competing(
    data: TrainingData, settings: TrainingSettings, device: torch.device
) -> Denominator | None:
    """What competes with the targets of a training; None where nothing is to."""
    if settings.mmi is None:
        return None
    refuse_many_tokens(len(data.tokens))
    said = (data.train.targets(index).tolist() for index in range(len(data.train)))
    return Denominator(token_trigrams(said, len(data.tokens)), device)
