"""Tuning done and written down: into the model folder, and for the eye."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import Tensor

from asr.batching import BatchSettings
from asr.bundle import Bundle, read_description, stored_as, update_model
from asr.decoding.beam import BeamDecoder, BeamSettings
from asr.decoding.folder import copy_language_model, load_decoder, save_decoder
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.pool import DecodingPool
from asr.errors import AsrError, DataError
from asr.files import write_text
from asr.manifest import Utterance
from asr.recognizer import MANY, Recognizer
from asr.rnnlm.model import has_rnn, load_rnn, remove_rnn, save_rnn
from asr.training.distributed import usable_cores
from asr.tuning.account import account_for
from asr.tuning.card import measured_card
from asr.tuning.model import DevelopmentSet, TunedDecoder, tune_decoder
from asr.tuning.picture import draw_grid


def compute_development_set(
    bundle: Bundle, utterances: Sequence[Utterance], batch: BatchSettings
) -> DevelopmentSet:
    """Run a model over the utterances to tune on.

    Raises:
        DataError: of some it is not known what was said.
        AsrError: what the first of them fails with.
    """
    silent = [one.id for one in utterances if one.text is None]
    if silent:
        raise DataError(
            f"{len(silent)} of {len(utterances)} utterances have no key 'text' ('{silent[0]}' "
            'first), by which decoding is tuned; expected what is said in each, "" for nothing'
        )
    found: dict[str, Tensor] = {}
    started = time.monotonic()
    for utterance, answer in Recognizer(bundle).log_probs_all(utterances, batch):
        if isinstance(answer, AsrError):
            raise answer
        found[utterance.id] = answer
    references = [bundle.normalizer(one.text or "") for one in utterances]
    return DevelopmentSet(
        [found[one.id] for one in utterances],
        references,
        bundle.tokens,
        speakers=[one.speaker for one in utterances],
        audio_seconds=sum(map(len, found.values())) * bundle.text_side.frame_seconds,
        model_seconds=time.monotonic() - started,
        warps=bundle.warps,
    )


def write_tuned(
    dev: DevelopmentSet,
    decoder: BeamDecoder | None,
    settings: BeamSettings,
    *,
    source: Path,
    output: Path,
    device: str,
) -> TunedDecoder:
    """Tune, say what it brings, and complete a model folder.

    Args:
        dev: what it is tuned on.
        decoder: None decodes greedily.
        settings: of the search; its beam is the widest that is tried.
        source: the folder with the language models and the lexicon.
        output: the model folder; the figures and the picture go there, too.
        device: where the model computed, for its card.
    """
    rnn = load_rnn(source) if has_rnn(source) else None
    with _pool(dev, decoder, settings, source) as pool:
        tuned = tune_decoder(dev, decoder=decoder, settings=settings, rnn=rnn, pool=pool)
    for line in account_for(tuned, dev.audio_seconds):
        _say(line)
    if tuned.weights:
        draw_grid(output / "tune.png", tuned.weights.grid, "N-best lists of dev, ranked anew")
    write_text(output / "tune.json", json.dumps(tuned.to_json(), indent=1) + "\n")
    if source != output:
        if rnn is not None:
            save_rnn(output, rnn)
        copy_language_model(source, output)
    save_decoder(output, tuned.description)
    if rnn is None and has_rnn(output):
        # After the description, which may have named it.
        remove_rnn(output)
        _say(
            "the recurrent language model of the folder is removed: it ranked what the n-gram "
            "model found that was there before"
        )
    weights = stored_as(read_description(output))
    card = measured_card(dev, tuned, device=device, weights=weights)
    update_model(output, card, dev.warps)
    return tuned


@contextmanager
def _pool(
    dev: DevelopmentSet, decoder: BeamDecoder | None, settings: BeamSettings, source: Path
) -> Iterator[DecodingPool[Sequence[Hypothesis]] | None]:
    processes = usable_cores()
    if decoder is None or processes == 1 or len(dev.references) < MANY:
        yield None
        return
    with DecodingPool(partial(load_decoder, source, dev.tokens, settings), processes) as pool:
        yield pool


def _say(words: str) -> None:
    print(f"    {words}", file=sys.stderr, flush=True)
