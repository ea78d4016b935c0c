"""How probable a text is, given the sound: the sum over all its paths."""

from collections.abc import Sequence

import torch
from torch import Tensor

from asr.tokens import TokenTable


def text_log_probs(log_probs: Tensor, texts: Sequence[str], tokens: TokenTable) -> list[float]:
    """Log-probability of each text, over all its paths (Graves et al. 2006, eq. 8).

    Args:
        log_probs: (U, V), valid frames only.
        texts: spelled with tokens there are; of those too long for the frames it is -inf.
        tokens: the table of the V tokens.
    """
    if not texts:
        return []
    targets = [torch.tensor(tokens.encode(text), dtype=torch.long) for text in texts]
    losses = torch.nn.functional.ctc_loss(
        log_probs.float().cpu()[:, None].expand(-1, len(texts), -1),
        torch.nn.utils.rnn.pad_sequence(targets, batch_first=True),
        torch.full((len(texts),), len(log_probs)),
        torch.tensor([len(one) for one in targets]),
        reduction="none",
    )
    found: list[float] = (-losses).tolist()
    return found
