import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.cli import main
from asr.manifest import read_manifest


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Sixty recordings of the yesno corpus's shape, 90 ms each."""
    folder = tmp_path / "corpora" / "waves_yesno"
    folder.mkdir(parents=True)
    for bits in list(itertools.product("01", repeat=6))[:60]:
        soundfile.write(folder / f"{'_'.join(bits)}.wav", np.full(720, 0.1), 8000)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["asr", "prepare", *map(str, arguments)])
    main()


def test_each_split_is_described_on_a_line(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, "yesno", output, "--corpus", corpus, "--set", "dev=10")
    assert caught.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        f"train: {output}/train.jsonl  20 utterances  0.00 hours  1 speaker",
        f"dev: {output}/dev.jsonl  10 utterances  0.00 hours  1 speaker",
        f"test: {output}/test.jsonl  30 utterances  0.00 hours  1 speaker",
    ]
    assert len(read_manifest(output / "dev.jsonl")) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yesnoo"], "did you mean 'yesno'?"),
        (["yesno", "--corpus", "nowhere"], "nowhere: there is no such corpus folder"),
        (["yesno", "--set", "dev"], "--set dev: expected key=value"),
        (["yesno", "--set", "dev=[1"], "--set dev=[1: not valid YAML"),
        (["yesno", "--set", "a..b=1"], "--set a..b=1: expected key=value"),
        (["yesno", "--set", "devv=1"], "corpus 'yesno': unknown key 'devv'; did you mean 'dev'?"),
        (["yesno", "--set", "dev=many"], "key 'dev': Input should be a valid integer"),
    ],
)
def test_mistake_is_one_line_and_status_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, arguments[0], "out", *arguments[1:])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_unknown_corpus_shows_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "wsj", "out")
    assert "usage: asr prepare CORPUS OUTPUT" in capsys.readouterr().err
