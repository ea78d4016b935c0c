"""How probable a text is, given the sound: the sum over all its paths."""

from collections.abc import Sequence

import torch
from torch import Tensor

from asr.decoding.hypothesis import Hypothesis
from asr.tokens import TokenTable

_TINY = torch.finfo(torch.float64).tiny


def log_likelihoods(log_probs: Tensor, sequences: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each sequence of tokens, over all its paths (Graves et al. 2006, eq. 6-8).

    All sequences take each frame together, which on a CPU is faster than torch's CTC loss of them.

    Args:
        log_probs: (U, V), valid frames only.
        sequences: of token ids, without blanks; of those too long for the frames it is -inf.
    """
    if not sequences:
        return []
    # A path is in a blank (even states) or a token (odd ones); beyond its last, nowhere. A column
    # is a sequence, so that the states before all of its states lie together in memory.
    nowhere = log_probs.shape[1]
    states = torch.full((2 * max(map(len, sequences)) + 1, len(sequences)), nowhere)
    for column, one in zip(states.T, sequences, strict=True):
        column[: 2 * len(one) + 1] = 0
        column[1 : 2 * len(one) : 2] = torch.tensor(list(one), dtype=torch.long)
    # A blank may be left out between two tokens that differ.
    leap = ((states[2:] != states[:-2]) & (states[2:] > 0)).double()
    probs = torch.nn.functional.pad(log_probs.double().cpu().exp(), (0, 1))
    forward = torch.zeros(len(states) + 2, len(sequences), dtype=torch.float64)
    forward[2] = 1.0  # as if a blank had been before the first frame
    total = torch.zeros(len(sequences), dtype=torch.float64)
    for frame in probs:
        step = forward[2:] + forward[1:-1]
        step[2:].addcmul_(forward[2:-2], leap)
        step *= frame.index_select(0, states.flatten()).view_as(step)
        # Divided by, so that only what is 700 nats behind at a frame underflows.
        scale = step.sum(dim=0)
        total += scale.log()
        torch.div(step, scale.clamp(min=_TINY), out=forward[2:])
    ends = torch.tensor([2 * len(one) for one in sequences])
    last = forward.gather(0, torch.stack([ends + 1, ends + 2])).sum(dim=0)
    found: list[float] = (total + last.log()).tolist()
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
