"""What competes with a target: all other sequences of tokens, as probable as their bigrams are."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from asr.dataset import Batch
from asr.encoder.encoder import Emissions
from asr.features import frame_mask
from asr.training.loss import ctc_losses
from asr.training.settings import TrainingData, TrainingSettings

_END = 0  # no token is the blank, so its row and column are the start and the end of a sentence


def token_bigrams(sequences: Iterable[Sequence[int]], tokens: int) -> Tensor:
    """Estimate which token follows which, smoothed as Witten & Bell (1991) do.

    (c(p, q) + n(p) u(q)) / (c(p) + n(p)), where c counts, n(p) is how many different tokens follow
    p, and u is how frequent q is at all, each token being counted once more than it is there.

    Args:
        sequences: of token ids, without blanks.
        tokens: in the table, the blank among them.

    Returns:
        (V, V) probabilities of column after row; row 0 is the start of a sentence, column 0 its
        end. Rows sum to 1.
    """
    counts = torch.zeros(tokens, tokens, dtype=torch.float64)
    for sequence in sequences:
        closed = torch.tensor([_END, *sequence, _END])
        counts.index_put_((closed[:-1], closed[1:]), torch.ones(()).double(), accumulate=True)
    frequency = counts.sum(dim=0) + 1
    followers = (counts > 0).sum(dim=1, keepdim=True).clamp(min=1)
    total = counts.sum(dim=1, keepdim=True)
    return (counts + followers * frequency / frequency.sum()) / (total + followers)


class Denominator:
    """The sum over all sequences of tokens of CTC's probability times the bigrams'.

    With it the CTC loss becomes maximum mutual information without lattices (Povey et al. 2016),
    on CTC's own states (Xiang & Ou 2019, CTC-CRF).
    """

    def __init__(self, bigrams: Tensor, device: torch.device) -> None:
        """`bigrams` are `token_bigrams`."""
        self._log_probs = bigrams.log()
        self._next = bigrams.to(device, torch.float32, copy=True)
        self._end = self._next[:, _END].clone()
        self._next[:, _END] = 0.0
        self._again = self._next.diagonal().clone()

    def __call__(self, emissions: Emissions) -> Tensor:
        """(B,) log of the sum in nats, by the forward algorithm; the gradient goes through it."""
        # After its last frame an utterance says blanks, for sure: nothing changes.
        valid = frame_mask(emissions.lengths, emissions.log_probs.shape[1])[:, :, None]
        silence = torch.zeros_like(emissions.log_probs[0, 0])
        silence[0] = 1.0
        probs = torch.where(valid, emissions.log_probs.float().exp(), silence)
        # Sums over the paths that end in a blank after token q, and in token q itself.
        blank = silence.expand(len(probs), -1)  # at first, a blank after the start
        spoken = torch.zeros_like(blank)
        scales = []
        for frame in probs.unbind(dim=1):
            after = blank + spoken
            begun = after @ self._next - spoken * self._again  # a token again needs a blank between
            spoken = frame * (spoken + begun)
            blank = frame[:, :1] * after
            scales.append(spoken.sum(dim=1, keepdim=True) + blank.sum(dim=1, keepdim=True))
            spoken, blank = spoken / scales[-1], blank / scales[-1]
        ended = (blank + spoken) @ self._end
        return torch.cat(scales, dim=1).log().sum(dim=1) + ended.log()

    def posterior_losses(self, emissions: Emissions, batch: Batch) -> Tensor:
        """Negative log-probability of each target, where it competes with all other sequences.

        Returns:
            (B,) in nats; 0 where nothing else is possible, infinite where it does not fit.
        """
        prior = [
            self._log_probs[closed[:-1], closed[1:]].sum()
            for target, length in zip(batch.targets, batch.target_lengths.tolist(), strict=True)
            for closed in [torch.nn.functional.pad(target[:length], (1, 1), value=_END)]
        ]
        found = ctc_losses(emissions, batch) + self(emissions)
        return found - torch.stack(prior).to(found)


def competing(
    data: TrainingData, settings: TrainingSettings, device: torch.device
) -> Denominator | None:
    """What competes with the targets of a training; None where nothing is to."""
    if settings.mmi is None:
        return None
    said = (data.train.targets(index).tolist() for index in range(len(data.train)))
    return Denominator(token_bigrams(said, len(data.tokens)), device)
