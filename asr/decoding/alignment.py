"""Alignment: when each word of a text was said, and how sure the model was of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torchaudio.functional import forced_align

from asr.decoding.hypothesis import Hypothesis
from asr.decoding.likelihood import spoken_tokens
from asr.errors import DataError
from asr.tokens import TokenTable, frames_needed


@dataclass(frozen=True)
class TokenSpan:
    """Where the best path of CTC through a text stays on one token."""

    token: int
    start: int  # encoder frame
    end: int  # encoder frame after the last one
    log_prob: float  # of the token, in the frame where it is highest


@dataclass(frozen=True)
class WordSpan:
    """Where a word was said."""

    text: str
    start: int  # encoder frame
    end: int  # encoder frame after the last one
    log_prob: float  # mean of those of its tokens
    tokens: tuple[int, ...]  # that it is said with, without spaces


def align_tokens(log_probs: Tensor, ids: Sequence[int]) -> list[TokenSpan]:
    """Find when each token was said: the most probable path that says just these.

    Spans do not overlap, and stand in the order of the tokens.

    Args:
        log_probs: (U, V), valid frames only.
        ids: the tokens, without blanks.

    Raises:
        DataError: the tokens do not fit into the frames.
    """
    if not ids:
        return []
    if (needed := frames_needed(ids)) > len(log_probs):
        raise DataError(
            f"{len(ids)} tokens cannot be aligned: they need {needed} frames, and there are "
            f"{len(log_probs)}; check that text and audio belong together, or leave it out"
        )
    rows = log_probs.float().cpu().contiguous()
    path, _ = forced_align(rows[None], torch.tensor([list(ids)], dtype=torch.int32), blank=0)
    spans, place = [], 0
    for token, run in groupby(path[0].tolist()):
        end = place + len(list(run))
        if token:
            spans.append(TokenSpan(token, place, end, float(rows[place:end, token].max())))
        place = end
    return spans


def align_words(log_probs: Tensor, hypothesis: Hypothesis, tokens: TokenTable) -> list[WordSpan]:
    """Find when each word of a hypothesis was said.

    Args:
        log_probs: (U, V), valid frames only.
        hypothesis: whose words are looked for.
        tokens: their table.

    Raises:
        DataError: the tokens do not fit into the frames.
    """
    if tokens.space is not None:
        # A space that the model puts into a pause, before the first word or beside another space,
        # is no more than a blank; the path would bend a word to make use of it.
        log_probs = log_probs.clone()
        log_probs[:, 0] = torch.maximum(log_probs[:, 0], log_probs[:, tokens.space])
    words: list[list[TokenSpan]] = [[]]
    for span in align_tokens(log_probs, spoken_tokens(hypothesis, tokens)):
        if span.token == tokens.space:
            words.append([])
        elif tokens.begins_word(span.token):
            words.append([span])
        else:
            words[-1].append(span)
    spoken = [spans for spans in words if spans]
    return [_join(spans, word) for spans, word in zip(spoken, hypothesis.text.split(), strict=True)]


def _join(spans: Sequence[TokenSpan], text: str) -> WordSpan:
    mean = sum(span.log_prob for span in spans) / len(spans)
    return WordSpan(text, spans[0].start, spans[-1].end, mean, tuple(span.token for span in spans))
