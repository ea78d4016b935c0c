"""`asr lm` from the outside: files, figures, exit status."""

import gzip
import sys
from pathlib import Path

import pytest
from lm_oracle import draw_sentences

from asr import cli
from asr.lm.arpa import read_arpa
from asr.lm.packed import write_packed


def asr_lm(*arguments: object) -> int:
    """The exit status of `asr lm`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["asr", "lm", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress("\n".join(draw_sentences(200, seed=1)).encode()))
    return path


def test_train_writes_a_model_and_says_what_is_in_it(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "lm.arpa.gz"
    assert asr_lm("train", text, "-o", output, "--order", 3) == 0
    said = capsys.readouterr()
    model = read_arpa(output)
    assert said.out == f"{output}\n"
    assert "words in 200 sentences, 0.00% <unk>" in said.err
    for order, ngrams in enumerate(model.ngrams, start=1):
        assert f"{order}-grams: {len(ngrams):,}, discounts " in said.err


def test_a_vocabulary_is_a_count_or_a_file(text: Path, tmp_path: Path) -> None:
    output, words = tmp_path / "lm.arpa", tmp_path / "words.txt"
    words.write_text("a\nzebra\n")
    assert asr_lm("train", text, "-o", output, "--vocabulary", words) == 0
    assert set(read_arpa(output).words) == {"<unk>", "<s>", "</s>", "a", "zebra"}
    assert asr_lm("train", text, "-o", output, "--vocabulary", 2) == 0
    assert len(read_arpa(output).words) == 5


def test_fewer_ngrams_are_kept_where_asked(text: Path, tmp_path: Path) -> None:
    output, sizes = tmp_path / "lm.arpa", []
    for options in ((), ("--cutoffs", "0,1,2"), ("--keep", 20)):
        assert asr_lm("train", text, "-o", output, *options) == 0
        sizes.append(len(read_arpa(output)) - len(read_arpa(output).words))
    assert sizes[0] > sizes[1] > 20 >= sizes[2] > 10


def test_perplexity_tells_words_it_does_not_know(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, other = tmp_path / "lm.arpa", tmp_path / "other.txt"
    other.write_text("a b zebra\n")
    assert asr_lm("train", text, "-o", output) == 0
    capsys.readouterr()
    assert asr_lm("perplexity", output, other) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["unknown", "words", "1", "of", "3", "(33.33%)"]
    assert float(lines[0].split()[-1]) > float(lines[1].split()[-1]) > 1


def test_mix_takes_a_weight_or_tunes_it(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, output = (tmp_path / f"{name}.arpa" for name in ("a", "b", "c"))
    (tmp_path / "b.txt").write_text("x y z\nx z\n")
    assert asr_lm("train", text, "-o", first) == 0
    assert asr_lm("train", tmp_path / "b.txt", "-o", second, "--order", 2) == 0
    assert asr_lm("mix", first, second, "-o", output, "--tune", text) == 0
    weight = float(capsys.readouterr().err.split()[-1])
    assert weight > 0.99, "the text is that of the first model"
    assert {"x", "a"} < set(read_arpa(output).words)
    assert asr_lm("mix", first, second, "-o", output, "--weight", 0.5) == 0
    assert asr_lm("mix", first, second, "-o", output) == 2
    assert "expected either --weight or --tune" in capsys.readouterr().err


def test_a_text_without_words_is_named_and_said_what_to_do_about(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, empty = tmp_path / "lm.arpa", tmp_path / "empty.txt"
    empty.write_text("\n")
    assert asr_lm("train", text, "-o", model) == 0
    for arguments in (
        ("perplexity", model, empty),
        ("mix", model, model, "-o", tmp_path / "b.arpa", "--tune", empty),
    ):
        capsys.readouterr()
        assert asr_lm(*arguments) == 2
        said = capsys.readouterr().err
        assert f"{empty}: no words in there; expected sentences, one a line" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cutoffs", "0,x"), "--cutoffs 0,x: expected counts with commas between"),
        (("--cutoffs", "1,1"), "the first is that of single words"),
        (("--cutoffs", "0,2,1"), "[0, 2, 1] falls"),
        (("--order", "9"), "key 'order'"),
        (("--vocabulary", "none.txt"), "none.txt: cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    assert asr_lm("train", text, "-o", tmp_path / "lm.arpa", *options) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "lm.arpa").exists()


def test_export_writes_the_model_of_a_folder_which_is_measured_as_it_is(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder, the packed file in it and the ARPA file that comes out are one model."""
    first, folder, output = tmp_path / "a.arpa", tmp_path / "model", tmp_path / "b.arpa.gz"
    assert asr_lm("train", text, "-o", first, "--order", 3, "--keep", 30) == 0
    folder.mkdir()
    write_packed(folder / "lm.safetensors", read_arpa(first))
    small = tmp_path / "small.safetensors"
    assert asr_lm("train", text, "-o", small, "--order", 3, "--keep", 30) == 0
    said = []
    for model in (first, small, folder, folder / "lm.safetensors"):
        capsys.readouterr()
        assert asr_lm("perplexity", model, text) == 0
        said.append(capsys.readouterr().out)
    assert len(set(said)) == 1
    assert asr_lm("export", folder, "-o", output) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert asr_lm("perplexity", output, text) == 0
    assert capsys.readouterr().out == said[0]
    assert asr_lm("export", tmp_path, "-o", output) == 2
    assert f"{tmp_path}: has no n-gram model; `asr tune --lm`" in capsys.readouterr().err
