"""Greedy decoding: the best token of each frame, repeats merged, blanks removed."""

from torch import Tensor

from asr.decoding.hypothesis import Hypothesis
from asr.tokens import TokenTable


def greedy_decode(log_probs: Tensor, tokens: TokenTable) -> Hypothesis:
    """Decode one utterance by its best path (Graves et al. 2006, section 3.2).

    Args:
        log_probs: (U, V), valid frames only.
        tokens: the table of the V tokens.
    """
    best, path = log_probs.max(dim=1)
    score = float(best.sum())
    ids: list[int] = []
    frames: list[int] = []
    previous = 0
    for frame, token in enumerate(path.tolist()):
        if token not in (0, previous):
            ids.append(token)
            frames.append(frame)
        previous = token
    return Hypothesis(tokens.decode(ids), tuple(ids), tuple(frames), score)
