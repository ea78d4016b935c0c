"""The recurrent language model: probabilities that are some, training that resumes, files."""

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_oracle import draw_sentences

from asr.errors import DataError, DivergenceError, ModelError, Stopped
from asr.lm.counts import Numbers
from asr.lm.text import close_vocabulary, most_frequent, number_words
from asr.rnnlm import training
from asr.rnnlm.model import RecurrentLM, RnnSettings, load_rnn, save_rnn
from asr.rnnlm.training import RnnTrainingSettings, train_rnn

SMALL = RnnSettings(embedding=8, hidden=16, frequent=3)
CPU = torch.device("cpu")


def numbered(*sentences: str) -> tuple[Numbers, list[str]]:
    text, words = number_words(["\n".join([*sentences, ""])])
    return close_vocabulary(text, words, most_frequent(text, words, 100))


def make_model(words: list[str]) -> RecurrentLM:
    torch.manual_seed(1)
    return RecurrentLM(SMALL, words)


def test_probabilities_of_the_next_word_add_up_to_one() -> None:
    _, words = numbered(*draw_sentences(50, seed=1))
    model = make_model(words)
    for before in ("", "a", "b c"):
        texts = [f"{before} {word}" for word in words[3:]]
        ends = [model.number(text)[:-1] for text in texts]
        ends += [
            model.number(before),
            [*model.number(before)[:-1], 0],
            [*model.number(before)[:-1], 1],
        ]
        rows = torch.tensor(ends)
        with torch.inference_mode():
            nats = model.eval()(rows, torch.full((len(rows),), rows.shape[1]))
            if before:
                context = model(rows[:1, :-1], torch.tensor([rows.shape[1] - 1]))
            else:
                context = torch.zeros(1)
        assert math.fsum(torch.exp(context - nats).tolist()) == pytest.approx(1, abs=1e-5)


def test_a_sentence_is_worth_the_same_alone_and_beside_longer_ones() -> None:
    _, words = numbered(*draw_sentences(50, seed=1))
    model = make_model(words)
    texts = ["a", "a b c d e f", "", "zebra a", "a b c e", "a b c d e f", "a b"]
    together = model.log_probs(texts)
    assert together == pytest.approx([model.log_probs([text])[0] for text in texts], abs=1e-5)
    assert model.log_probs([]) == []


@pytest.mark.parametrize("layers", [1, 2])
def test_what_texts_begin_with_is_worth_the_same_as_each_read_from_its_beginning(
    layers: int,
) -> None:
    sentences = draw_sentences(80, seed=1)
    _, words = numbered(*sentences)
    torch.manual_seed(1)
    model = RecurrentLM(SMALL.model_copy(update={"layers": layers}), words, outside=9).eval()
    sentences += ["", "zebra", f"{sentences[0]} zebra"]
    rows = [torch.tensor(model.number(text)) for text in sentences]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    with torch.inference_mode():
        nats = model(padded, torch.tensor([*map(len, rows)]))
    assert model.log_probs(sentences) == pytest.approx((-nats).tolist(), abs=1e-4)


def test_the_words_that_it_does_not_know_share_the_probability_of_an_unknown_one() -> None:
    _, words = numbered(*draw_sentences(50, seed=1))
    torch.manual_seed(1)
    one = RecurrentLM(SMALL, words)
    torch.manual_seed(1)
    many = RecurrentLM(SMALL, words, outside=50)
    for text, unknown in (("a b", 0), ("zebra", 1), ("a zebra b lion", 2)):
        gone = one.log_probs([text])[0] - many.log_probs([text])[0]
        assert gone == pytest.approx(unknown * math.log(50), abs=1e-4)


def train(folder: Path, **settings: Any) -> tuple[RecurrentLM, float]:
    text, words = numbered(*draw_sentences(120, seed=1))
    dev = close_vocabulary(*number_words(["\n".join(draw_sentences(30, seed=2))]), words)[0]
    model = make_model(words)
    chosen = RnnTrainingSettings.parse(
        {"epochs": 3, "batch": {"max_frames": 60}} | settings, "test"
    )
    return model, train_rnn(model, text, dev, chosen, folder=folder, seed=1, device=CPU)


def test_training_makes_text_of_the_kind_less_surprising(tmp_path: Path) -> None:
    _, untrained = train(tmp_path / "a", optimizer={"learning_rate": 1e-12})
    _, trained = train(tmp_path / "b", epochs=8, optimizer={"learning_rate": 0.01})
    assert trained < 0.7 * untrained


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = train(tmp_path / "whole")
    calls = iter([False] * 4 + [True] * 99)
    with monkeypatch.context() as patch:
        patch.setattr(training, "stop_requests", lambda: _Requests(lambda: next(calls)))
        with pytest.raises(Stopped):
            train(tmp_path / "stopped")
    resumed, _ = train(tmp_path / "stopped")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("settings", [{}, {"epochs": 1}], ids=["one of three", "the last"])
def test_a_request_to_stop_while_dev_is_measured_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    asked: list[bool] = []
    measure = training._nats

    def measured(*of: Any) -> float:
        asked.append(True)
        return measure(*of)

    (tmp_path / ".checkpoint.pt.x1y2").write_bytes(b"left by a kill")
    with monkeypatch.context() as patch:
        patch.setattr(training, "stop_requests", lambda: _Requests(lambda: bool(asked)))
        patch.setattr(training, "_nats", measured)
        with pytest.raises(Stopped):
            train(tmp_path, **settings)
    assert len(asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert progress(tmp_path)["epoch"] == 1
    resumed, perplexity = train(tmp_path, **settings)
    whole, expected = train(tmp_path / "whole", **settings)
    assert perplexity == expected
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_without_a_terminal_each_checkpoint_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(step=30)
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    train(tmp_path, epochs=4, checkpoint_minutes=1)
    lines = re.findall(r"(\d+)%  [\d.]+ nats a word  (\d+) min left", capsys.readouterr().err)
    done, left = ([int(line[place]) for line in lines] for place in (0, 1))
    assert len(done) > 5
    assert done == sorted(done)
    assert done[-1] > 80
    assert left[-1] < left[2], "it took as long for each step"


class _Requests:
    def __init__(self, stop: Any) -> None:
        self._stop = stop

    def __enter__(self) -> Any:
        return self._stop

    def __exit__(self, *_: object) -> None:
        pass


def test_a_section_that_says_one_thing_leaves_the_others_as_they_were() -> None:
    values = {"batch": {"max_frames": 9}, "optimizer": {"learning_rate": 1.0}, "schedule": {}}
    settings = RnnTrainingSettings.parse(values, "test")
    assert (settings.batch.per_step, settings.batch.max_utterances) == (1, 256)
    assert (settings.optimizer.clip_norm, settings.schedule.warmup_share) == (1.0, 0.05)


def spoil(monkeypatch: pytest.MonkeyPatch, calls: set[int]) -> None:
    """Make the model's answer NaN in some of the calls of a training, counted from 0."""
    whole, counted = RecurrentLM.forward, itertools.count()

    def forward(self: RecurrentLM, *inputs: torch.Tensor) -> torch.Tensor:
        found = whole(self, *inputs)
        return found * math.nan if self.training and next(counted) in calls else found

    monkeypatch.setattr(RecurrentLM, "forward", forward)


def test_a_step_without_a_finite_gradient_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, {2, 5})
    model, perplexity = train(tmp_path)
    assert math.isfinite(perplexity)
    assert all(weight.isfinite().all() for weight in model.parameters())
    said = capsys.readouterr().err
    assert said.count("gradient not finite, step left out") == 2
    assert "nan" not in said
    assert progress(tmp_path)["bad_steps"] == 2


def test_too_many_such_steps_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {0, 1, 3})
    with pytest.raises(DivergenceError, match=r"3 steps \(lm\.rnn\.training\.max_bad_steps\)"):
        train(tmp_path, max_bad_steps=3)


def progress(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)["progress"]
    return found


def test_a_step_has_as_many_batches_as_is_said(tmp_path: Path) -> None:
    steps = {}
    for count in (1, 3):
        train(tmp_path / str(count), epochs=1, batch={"max_frames": 60, "per_step": count})
        steps[count] = progress(tmp_path / str(count))["step"]
    assert steps[3] == math.ceil(steps[1] / 3)


def test_the_gradient_of_several_batches_is_that_of_one_with_all_sentences(tmp_path: Path) -> None:
    """Without dropout, and with steps so small that rounding decides nothing."""
    text, words = numbered(*["a b c"] * 8)
    found = []
    for batch in ({"max_utterances": 8, "per_step": 1}, {"max_utterances": 2, "per_step": 4}):
        torch.manual_seed(1)
        model = RecurrentLM(SMALL.model_copy(update={"dropout": 0.0}), words)
        settings = RnnTrainingSettings.parse({"batch": batch, "precision": "float32"}, "test")
        folder = tmp_path / str(batch["per_step"])
        train_rnn(model, text, text, settings, folder=folder, seed=1, device=CPU)
        assert progress(folder)["step"] == 1
        found.append(torch.load(folder / "checkpoint.pt", weights_only=True)["optimizer"])
    first, second = ([one["exp_avg"] for one in each["state"].values()] for each in found)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_the_rate_is_cut_where_the_dev_loss_falls_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, rates = iter([3.0, 2.0, 2.5, 2.5, 2.5]), {}
    monkeypatch.setattr(training, "_nats", lambda *_: next(losses))
    whole = training.rate_share

    def rate_share(settings: Any, done: float, *dev_losses: Any) -> float:
        return rates.setdefault(int(4 * done + 1e-9), whole(settings, done, *dev_losses))

    monkeypatch.setattr(training, "rate_share", rate_share)
    schedule = {"kind": "plateau", "warmup_share": 0.0, "plateau_epochs": 1}
    train(tmp_path, epochs=4, schedule=schedule)
    assert rates == {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.5}


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    empty = np.zeros(0, dtype=np.int32)
    with pytest.raises(DataError, match="no sentences for the recurrent language model"):
        train_rnn(
            make_model(["<unk>", "<s>", "</s>", "a", "b"]),
            empty,
            empty,
            RnnTrainingSettings(),
            folder=tmp_path,
            seed=1,
            device=CPU,
        )


def test_a_model_survives_its_folder_and_damage_is_noticed(tmp_path: Path) -> None:
    _, words = numbered(*draw_sentences(50, seed=1))
    model = RecurrentLM(SMALL, words, outside=7)
    save_rnn(tmp_path, model)
    texts = ["a b", "zebra"]
    assert load_rnn(tmp_path).log_probs(texts) == model.eval().log_probs(texts)
    described = (tmp_path / "rnnlm.json").read_text(encoding="utf-8")
    for outside in ("0", "-2", "null", '"7"'):
        wrong = described.replace('"outside": 7', f'"outside": {outside}')
        (tmp_path / "rnnlm.json").write_text(wrong, encoding="utf-8")
        with pytest.raises(ModelError, match="no recurrent language model"):
            load_rnn(tmp_path)
    large = json.loads(described)
    large["settings"]["hidden"] = 10_000_000
    (tmp_path / "rnnlm.json").write_text(json.dumps(large), encoding="utf-8")
    with pytest.raises(ModelError, match="the weights are of"):
        load_rnn(tmp_path)
    (tmp_path / "rnnlm.json").write_text(described, encoding="utf-8")
    (tmp_path / "rnnlm.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="no recurrent language model"):
        load_rnn(tmp_path)
    with pytest.raises(ModelError, match="no recurrent language model"):
        load_rnn(tmp_path / "none")
