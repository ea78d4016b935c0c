"""How probable a text is, given the sound: the sum over all its paths."""

from collections.abc import Sequence

import torch
from torch import Tensor

from asr.decoding.hypothesis import Hypothesis
from asr.tokens import TokenTable


def log_likelihoods(log_probs: Tensor, sequences: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each sequence of tokens, over all its paths (Graves et al. 2006, eq. 8).

    Args:
        log_probs: (U, V), valid frames only.
        sequences: of token ids, without blanks; of those too long for the frames it is -inf.
    """
    if not sequences:
        return []
    targets = [torch.tensor(list(one), dtype=torch.long) for one in sequences]
    losses = torch.nn.functional.ctc_loss(
        log_probs.float().cpu()[:, None].expand(-1, len(targets), -1),
        torch.nn.utils.rnn.pad_sequence(targets, batch_first=True),
        torch.full((len(targets),), len(log_probs)),
        torch.tensor([len(one) for one in targets]),
        reduction="none",
    )
    found: list[float] = (-losses).tolist()
    return found


def penalize_blank(log_probs: Tensor, penalty: float) -> Tensor:
    """(U, V) log-probabilities -> the same with the blank so many nats less probable."""
    if not penalty:
        return log_probs
    lower = log_probs.clone()
    lower[:, 0] -= penalty
    return lower


def spoken_tokens(hypothesis: Hypothesis, tokens: TokenTable) -> Sequence[int]:
    """The tokens that a hypothesis is said with.

    Those of its text; or, where a text may be said in several ways, those that it was found by.
    """
    return tokens.encode(hypothesis.text) if tokens.orthographic else hypothesis.tokens
