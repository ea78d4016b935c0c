"""The recurrent language model (Mikolov et al. 2010), with LSTM cells and an adaptive softmax."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from asr.errors import ConfigError, ModelError, one_line
from asr.files import write_text
from asr.lm.counts import BEGIN, END, UNKNOWN
from asr.settings import Settings
from asr.weights import Storage, read_weights, write_weights

_JSON = "rnnlm.json"
_WEIGHTS = "rnnlm.safetensors"

_States = list[tuple[Tensor, Tensor]]  # of each layer (N, H), twice


class RnnSettings(Settings):
    """The shape of the language model."""

    embedding: int = Field(default=256, ge=1)  # numbers that stand for a word
    hidden: int = Field(default=512, ge=1)  # units of a layer
    layers: int = Field(default=1, ge=1)  # LSTMs
    dropout: float = Field(default=0.2, ge=0, lt=1)  # before and after the layers
    frequent: int = Field(default=2000, ge=1)  # words that the softmax always computes


class RecurrentLM(nn.Module):
    """Predicts each word of a sentence from all words before it."""

    def __init__(self, settings: RnnSettings, words: Sequence[str], outside: int = 1) -> None:
        """An untrained model.

        Args:
            settings: its shape.
            words: by number, <unk>, <s> and </s> first, then by falling frequency.
            outside: how many words <unk> stands for; each is as probable as the others.
        """
        super().__init__()
        self.settings, self.words, self.outside = settings, list(words), outside
        self._share = math.log(outside)  # nats, of a word that it does not know
        self._numbers = {word: number for number, word in enumerate(self.words)}
        count, width = len(self.words), settings.embedding
        self.embedding = nn.Embedding(count, width)
        self.lstm = nn.LSTM(width, settings.hidden, settings.layers, batch_first=True)
        self.down = nn.Linear(settings.hidden, width)
        self.dropout = nn.Dropout(settings.dropout)
        # Rare words share a narrower layer: most of the work is saved (Grave et al. 2017).
        cutoffs = [cut for cut in (settings.frequent, 5 * settings.frequent) if cut < count - 1]
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(width, count, cutoffs or [count - 1])

    def forward(self, sentences: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-probability of sentences.

        Args:
            sentences: (B, T) word numbers from BEGIN to END, padded with anything.
            lengths: (B,) words, BEGIN and END included.

        Returns:
            (B,) nats; BEGIN is given, END is predicted, UNKNOWN is one of the words outside.
        """
        inputs, targets = sentences[:, :-1], sentences[:, 1:]
        hidden, _ = self.lstm(self.dropout(self.embedding(inputs)))
        place = torch.arange(targets.shape[1], device=sentences.device)
        valid = place < (lengths - 1).unsqueeze(1)
        log_probs = self._score(hidden[valid], targets[valid])
        owner = valid.nonzero()[:, 0]
        return -torch.zeros(len(sentences), device=sentences.device).index_add(0, owner, log_probs)

    def number(self, text: str) -> list[int]:
        """Word numbers of a sentence, from BEGIN to END."""
        return [BEGIN, *(self._numbers.get(word, UNKNOWN) for word in text.split()), END]

    @torch.inference_mode()
    def log_probs(self, texts: Sequence[str]) -> list[float]:
        """Log-probability of each text, in nats; what several begin with is computed once."""
        self.eval()
        there = self.down.weight.device
        rows = [self.number(text) for text in texts]
        # Beginnings of so many words are numbered: each by the one that is a word shorter, and its
        # last word.
        places = [0] * len(rows)
        nothing = torch.zeros(1, self.settings.hidden, device=there)
        states = [(nothing, nothing)] * self.settings.layers
        hidden = [nothing[:0]]
        words: list[int] = []
        scored: list[list[int]] = [[] for _ in rows]  # of each text, by number of (hidden, word)
        for length in range(max(map(len, rows), default=1) - 1):
            going = [one for one, row in enumerate(rows) if length + 1 < len(row)]
            beginnings: dict[tuple[int, int], int] = {}
            for one in going:
                key = places[one], rows[one][length]
                places[one] = beginnings.setdefault(key, len(beginnings))
            shorter, last = torch.tensor([*beginnings], device=there).T
            states = self._read(last, [(h[shorter], c[shorter]) for h, c in states])
            following: dict[tuple[int, int], int] = {}
            for one in going:
                key = places[one], rows[one][length + 1]
                scored[one].append(following.setdefault(key, len(words) + len(following)))
            hidden.append(states[-1][0][[place for place, _ in following]])
            words += [word for _, word in following]
        scores = self._score(torch.cat(hidden), torch.tensor(words, device=there)).tolist()
        return [sum(scores[number] for number in numbers) for numbers in scored]

    def _read(self, words: Tensor, states: _States) -> _States:
        """(N,) words -> the states of the layers after them, from those before."""
        inputs, after = self.embedding(words), []
        for state, weights in zip(states, self.lstm.all_weights, strict=True):
            # A whole LSTM packs its weights at each call, which takes longer than a word does.
            after.append(torch.lstm_cell(inputs, state, *weights))
            inputs = after[-1][0]
        return after

    def _score(self, hidden: Tensor, words: Tensor) -> Tensor:
        """(N, H) what the layers say and (N,) the words that come -> (N,) log-probabilities."""
        states = self.dropout(self.down(hidden))
        log_probs: Tensor = self.softmax(states, words).output.float()  # many are added up
        return log_probs - self._share * (words == UNKNOWN)


def save_rnn(folder: Path, model: RecurrentLM, storage: Storage = "float32") -> None:
    """Write a model into a folder, its weights stored as they are or smaller."""
    write_weights(folder / _WEIGHTS, model.state_dict(), storage)
    content = {
        "settings": model.settings.model_dump(mode="json"),
        "words": model.words,
        "outside": model.outside,
    }
    write_text(folder / _JSON, json.dumps(content, ensure_ascii=False) + "\n")


def has_rnn(folder: Path) -> bool:
    """Whether a folder has a model."""
    return (folder / _JSON).exists()


def remove_rnn(folder: Path) -> None:
    """Remove the model of a folder, if it has one."""
    for name in (_JSON, _WEIGHTS):
        (folder / name).unlink(missing_ok=True)


def load_rnn(folder: Path) -> RecurrentLM:
    """Read the model of a folder. Raises ModelError where there is none, or a damaged one."""
    path = folder / _JSON
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings = RnnSettings.parse(content["settings"], f"{path}: settings")
        weights = read_weights(folder / _WEIGHTS)
        _refuse_other_size(settings, weights)
        model = RecurrentLM(settings, content["words"], content["outside"])
        model.load_state_dict(weights)
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        RuntimeError,  # RecursionError is one
        ConfigError,
        ModelError,
    ) as error:
        raise ModelError(
            f"{folder}: no recurrent language model ({one_line(error)}); train it again"
        ) from None
    return model.eval()


def _refuse_other_size(settings: RnnSettings, weights: Mapping[str, Tensor]) -> None:
    """Raise ModelError where weights are of another size, before memory is taken for this one."""
    layers = [name for name in weights if name.startswith("lstm.weight_hh_")]
    sizes = len(layers), weights["lstm.weight_hh_l0"].shape[1], weights["embedding.weight"].shape[1]
    expected = settings.layers, settings.hidden, settings.embedding
    if sizes != expected:
        raise ModelError(
            f"the weights are of {sizes} layers, units and numbers a word; expected {expected}"
        )
