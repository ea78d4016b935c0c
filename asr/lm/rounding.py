"""Rounding: numbers as codes of one byte, which take less room than they and pack better."""

import numpy as np
from numpy.typing import NDArray

from asr.lm.model import Reals

CODES = 256
# Nats from one value to the next: three hundredths of a nat of noise, and long runs of equal codes.
_STEP = 0.1


def round_to_codes(values: Reals) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round numbers to at most CODES values, so that none moves far and their mean stays.

    Numbers of few values are not rounded; 0 and -inf never are.

    Returns:
        Codes (M,), and by code the mean of the numbers that have it.
    """
    codebook, codes = np.unique(values, return_inverse=True)
    if len(codebook) <= CODES:
        return codes.astype(np.uint8), codebook.astype(np.float32)
    exact = (values == 0) | np.isinf(values)
    finite = np.where(exact, 0.0, values)
    # Two codes are for 0 and -inf, one is for what rounding adds at an end.
    step = max(_STEP, float(finite.max() - finite.min()) / (CODES - 3))
    steps = np.round(finite / step)
    kept = np.where(exact, np.where(values == 0, np.inf, -np.inf), steps)
    distinct, codes = np.unique(kept, return_inverse=True)
    means = np.bincount(codes, finite) / np.bincount(codes)
    means[distinct == -np.inf] = -np.inf
    return codes.astype(np.uint8), means.astype(np.float32)
