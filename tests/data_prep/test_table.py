import os

import numpy as np
import pytest
import soundfile

from asr.errors import ConfigError, DataError
from asr.manifest import read_manifest
from data_prep.table import Options, fingerprint, prepare


@pytest.fixture
def folder(tmp_path):
    """A folder with 20 recordings clips/00.wav ... of 0.1 s, 0.11 s, ..."""
    (tmp_path / "clips").mkdir()
    for number in range(20):
        _record(tmp_path / f"clips/{number:02}.wav", 800 + 80 * number)
    return tmp_path


def _record(path, samples=800):
    sound = 0.1 * np.sin(np.arange(samples))
    soundfile.write(path, sound, 8000)


def _write(folder, lines, name="my.csv", encoding="utf-8"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def _rows(separator=",", count=20):
    return [separator.join((f"clips/{n:02}.wav", f"text {n}")) for n in range(count)]


def _prepare(corpus, **options):
    manifests = prepare(Options(**options), corpus, corpus.parent / "out")
    return {name: read_manifest(path) for name, path in manifests.items()}


def _all(splits):
    return {item.id: item for split in splits.values() for item in split}


def test_every_row_becomes_one_utterance(folder):
    splits = _prepare(_write(folder, ["path,text", *_rows()]))
    assert set(splits) == {"train", "dev", "test"}
    items = _all(splits)
    assert sorted(items) == [f"clips-{number:02}" for number in range(20)]
    item = items["clips-03"]
    assert item.text == "text 3"
    assert item.duration == pytest.approx(0.13)
    assert item.sample_rate == 8000
    assert os.path.samefile(item.audio_path, folder / "clips/03.wav")


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.txt", "|")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiter_and_byte_order_mark_are_found(folder, name, separator, encoding):
    path = _write(folder, [separator.join(("path", "text")), *_rows(separator)], name, encoding)
    assert len(_all(_prepare(path))) == 20


@pytest.mark.parametrize("header", ["audio,sentence", "File,Transcript", "audio_filepath , text"])
def test_usual_column_names_are_found(folder, header):
    assert len(_all(_prepare(_write(folder, [header, *_rows()])))) == 20


def test_named_columns_come_before_usual_ones(folder):
    rows = [f"clips/{n:02}.wav,wrong,right {n}" for n in range(20)]
    path = _write(folder, ["path,text,Corrected", *rows])
    assert _all(_prepare(path, text_column="Corrected"))["clips-07"].text == "right 7"


def test_text_stays_as_it_is_written(folder):
    texts = {0: '"Well, ""no"" ÄÖ!"', 1: "  Spaces  ", 2: '"two\nlines"', 3: "a\u2028b"}
    rows = [f"clips/{n:02}.wav,{texts.get(n, 'x')}" for n in range(20)]
    items = _all(_prepare(_write(folder, ["path,text", *rows])))
    assert [items[f"clips-0{n}"].text for n in range(4)] == [
        'Well, "no" ÄÖ!',
        "  Spaces  ",
        "two\nlines",
        "a\u2028b",
    ]


def test_quotation_mark_in_a_tsv_is_a_character(folder):
    rows = _rows("\t")
    rows[4] = 'clips/04.wav\t"Stop, he said'
    items = _all(_prepare(_write(folder, ["path\ttext", *rows], "my.tsv")))
    assert items["clips-04"].text == '"Stop, he said'
    assert len(items) == 20


def test_absolute_paths_are_used_as_they_are(folder, tmp_path_factory):
    rows = [f"{folder}/clips/{n:02}.wav,x" for n in range(20)]
    path = _write(tmp_path_factory.mktemp("elsewhere"), ["path,text", *rows])
    assert len(_all(_prepare(path))) == 20


def test_same_name_with_two_suffixes_gives_two_ids(folder):
    _record(folder / "clips/03.flac")
    items = _all(_prepare(_write(folder, ["path,text", *_rows(), "clips/03.flac,other"])))
    alike = sorted(name for name in items if name.startswith("clips-03"))
    assert len(items) == 21
    assert [len(name) for name in alike] == [len("clips-03-") + 8] * 2


def test_split_column_decides(folder):
    names = ["Train"] * 16 + ["validation", "dev", "test-noisy", "test_clean"]
    rows = [f"{row},{name}" for row, name in zip(_rows(), names, strict=True)]
    splits = _prepare(_write(folder, ["path,text,split", *rows]))
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 16,
        "dev": 2,
        "test-noisy": 1,
        "test_clean": 1,
    }


def test_dev_is_taken_from_train_where_the_column_has_none(folder, capsys):
    rows = [f"{row},{'train' if n < 15 else 'test'}" for n, row in enumerate(_rows())]
    splits = _prepare(_write(folder, ["path,text,split", *rows]))
    assert len(splits["test"]) == 5
    assert len(splits["dev"]) >= 1
    assert len(splits["train"]) + len(splits["dev"]) == 15
    assert "no split is named 'dev'" in capsys.readouterr().err


def test_split_column_without_training_rows_is_an_error(folder):
    rows = [f"{row},test" for row in _rows()]
    with pytest.raises(DataError, match=r"nothing for the split 'train' .*split column"):
        _prepare(_write(folder, ["path,text,split", *rows]))


def test_ten_speakers_are_kept_apart(folder):
    rows = [f"{row},speaker{n % 10}" for n, row in enumerate(_rows())]
    splits = _prepare(_write(folder, ["path,text,speaker", *rows]))
    speakers = [{item.speaker for item in split} for split in splits.values()]
    assert len(set.union(*speakers)) == sum(len(each) for each in speakers) == 10


def test_few_speakers_are_shared_with_a_notice(folder, capsys):
    rows = [f"{row},speaker{n % 2}" for n, row in enumerate(_rows())]
    splits = _prepare(_write(folder, ["path,text,speaker", *rows]))
    assert set(splits) == {"train", "dev", "test"}
    assert "2 speakers are too few" in capsys.readouterr().err


def test_order_of_the_rows_changes_no_split(folder):
    header = ["path,text"]
    first = _prepare(_write(folder, header + _rows()))
    second = _prepare(_write(folder, header + _rows()[::-1]))
    for name, split in first.items():
        assert {item.id for item in split} == {item.id for item in second[name]}


def _with_bad_rows(folder):
    (folder / "clips/05.wav").write_bytes(b"no sound at all")
    (folder / "clips/06.wav").write_bytes(b"")
    rows = _rows()
    rows[2] = "clips/none.wav,x"
    rows[3] = "clips/03.wav,  "
    rows[7] = "clips/07.wav,yes, sir"
    rows[8] = "clips/00.wav,again"
    rows[9] = ",no path"
    return _write(folder, ["path,text", *rows])


def test_bad_rows_are_reported_together_with_line_numbers(folder):
    path = _with_bad_rows(folder)
    with pytest.raises(DataError) as caught:
        _prepare(path)
    message = str(caught.value)
    assert "my.csv: 7 of 20 recordings cannot be used" in message
    for part in (
        "line 4: ",
        "clips/none.wav: no such file",
        "line 5: clips/03.wav: the text is empty",
        "line 7: ",
        "clips/05.wav: not audio",
        "line 8: ",
        "0 bytes",
        "line 9: clips/07.wav: has 3 cells, the header has 2",
        "and 2 more",
        "max_bad to 7",
    ):
        assert part in message
    assert "\n" not in message
    assert not (folder / "out/train.jsonl").exists()


def test_allowed_bad_rows_are_left_out_and_listed(folder, capsys):
    path = _with_bad_rows(folder)
    assert len(_all(_prepare(path, max_bad=7))) == 13
    lines = (folder / "out/rejected.tsv").read_text().splitlines()
    assert lines[0] == "where\tpath\treason"
    assert [line.split("\t")[0] for line in lines[1:]] == [
        f"line {number}" for number in (4, 5, 7, 8, 9, 10, 11)
    ]
    assert "the same recording as line 2" in lines[6]
    assert lines[7] == "line 11\t\tno path"
    assert "7 of 20 recordings cannot be used and are left out" in capsys.readouterr().err


def test_one_bad_row_more_than_allowed_is_an_error(folder):
    with pytest.raises(DataError, match=r"max_bad to 7 \(it is 6\)"):
        _prepare(_with_bad_rows(folder), max_bad=6)


def test_list_of_bad_rows_goes_when_they_are_corrected(folder):
    _prepare(_with_bad_rows(folder), max_bad=7)
    for number in (5, 6):
        _record(folder / f"clips/{number:02}.wav")
    _prepare(_write(folder, ["path,text", *_rows()]))
    assert not (folder / "out/rejected.tsv").exists()


def test_line_numbers_count_lines_inside_quotes(folder):
    rows = ['clips/00.wav,"one\ntwo"', "", "clips/none.wav,x"]
    with pytest.raises(DataError, match="line 5: "):
        _prepare(_write(folder, ["path,text", *rows]))


def test_missing_column_names_those_there_and_the_setting(folder):
    path = _write(folder, ["path,words", *_rows()])
    expected = r"my\.csv: no text column .*'path', 'words'.*text, transcript.*set text_column"
    with pytest.raises(DataError, match=expected):
        _prepare(path)


def test_named_column_that_is_not_there_is_an_error(folder):
    path = _write(folder, ["path,text", *_rows()])
    expected = r"speaker_column is 'who', but the columns are 'path', 'text'"
    with pytest.raises(ConfigError, match=expected):
        _prepare(path, speaker_column="who")


def test_empty_cell_in_the_split_column_is_a_bad_row(folder):
    rows = [f"{row},train" for row in _rows()]
    rows[5] = f"{_rows()[5]},"
    with pytest.raises(DataError, match=r"1 of 20 .*line 7: clips/05\.wav: split '' is not a name"):
        _prepare(_write(folder, ["path,text,split", *rows]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\n\n", "the file is empty"),
        (b"path,text\n", "a header and no rows"),
        (b",,\n,,\n", "no path column found: .* set path_column"),
        (b"path,text\na.wav,caf\xe9\n", r"my\.csv:2: not UTF-8 \(byte 0xe9\).*save the table"),
        (b'path,text\na.wav,"open\nb.wav,x\n', r"my\.csv:2: not a well-formed row"),
    ],
)
def test_unusable_table_is_an_error_that_says_what_to_do(tmp_path, content, message):
    path = tmp_path / "my.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        _prepare(path)


def test_too_few_recordings_for_train_and_dev_is_an_error(folder):
    with pytest.raises(DataError, match=r"nothing for the split '(train|dev)' \(1 recordings"):
        _prepare(_write(folder, ["path,text", *_rows(count=1)]))


def test_no_corpus_says_how_to_name_one(tmp_path):
    with pytest.raises(ConfigError, match=r"no corpus was given.*--corpus my\.csv"):
        prepare(Options(), None, tmp_path)


def test_missing_corpus_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file or folder"):
        _prepare(tmp_path / "nowhere.csv")


def test_shares_that_leave_nothing_to_train_are_refused():
    with pytest.raises(ConfigError, match=r"dev 0\.5 and test 0\.5 leave nothing"):
        Options.parse({"dev": 0.5, "test": 0.5}, "recipe.yaml")


@pytest.fixture
def recordings(tmp_path):
    """A folder jo/0.wav + jo/0.txt, ... ann/9.wav + ann/9.txt, and hidden files."""
    folder = tmp_path / "recordings"
    for speaker in ("jo", "ann"):
        (folder / speaker).mkdir(parents=True)
        for number in range(10):
            _record(folder / speaker / f"{number}.wav")
            (folder / speaker / f"{number}.txt").write_text(f"{speaker} says {number}\n")
    (folder / "._hidden.wav").write_bytes(b"no sound")
    return folder


def test_folder_is_read_with_its_subfolders(recordings):
    items = _all(_prepare(recordings))
    assert len(items) == 20
    assert items["ann-4"].text == "ann says 4"


def test_folder_tells_of_texts_without_recordings(recordings, capsys):
    (recordings / "README.txt").write_text("about these")
    assert len(_all(_prepare(recordings))) == 20
    assert "1 .txt files have no recording: README.txt" in capsys.readouterr().err


def test_recording_without_a_good_transcript_is_named(recordings):
    (recordings / "jo/3.txt").unlink()
    (recordings / "jo/4.txt").write_bytes(b"caf\xe9")
    _record(recordings / "jo/5.flac")
    with pytest.raises(DataError) as caught:
        _prepare(recordings)
    message = str(caught.value)
    assert "3 of 21 recordings cannot be used: jo/3.wav: there is no transcript 3.txt" in message
    assert "jo/4.wav: 4.txt is not readable UTF-8" in message
    assert "jo/5.wav: 5.flac has the same transcript" in message


def test_folder_without_recordings_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("a")
    with pytest.raises(DataError, match=r"no recordings in this folder; expected \.wav"):
        _prepare(tmp_path / "in")


def test_fingerprint_of_a_text_in_the_place_of_a_path_is_one(folder):
    path = _write(folder, ["path,text", f"{'long ' * 99},clips/01.wav", *_rows()])
    assert len(fingerprint(Options(), path)) == 64


def test_linked_folder_is_read_and_is_entered_once(recordings, tmp_path_factory):
    (recordings / "ann").rename(tmp_path_factory.mktemp("elsewhere") / "ann")
    elsewhere = next(tmp_path_factory.getbasetemp().glob("elsewhere*/ann"))
    (recordings / "ann").symlink_to(elsewhere)
    (elsewhere / "again").symlink_to(recordings)
    (recordings / "a").symlink_to(recordings / "jo")
    items = _all(_prepare(recordings))
    assert len(items) == 20
    assert {name.split("-")[0] for name in items} == {"ann", "jo"}


def test_fingerprint_changes_with_the_table_and_with_a_recording(folder):
    path = _write(folder, ["path,text", *_rows()])
    marks = [fingerprint(Options(), path)]
    assert fingerprint(Options(), path) == marks[0]
    _record(folder / "clips/03.wav", 5000)
    marks.append(fingerprint(Options(), path))
    (folder / "clips/04.wav").unlink()
    marks.append(fingerprint(Options(), path))
    _write(folder, ["path,text", *_rows(count=19)])
    marks.append(fingerprint(Options(), path))
    assert len(set(marks)) == 4


def test_fingerprint_of_a_folder_changes_with_a_text(recordings):
    before = fingerprint(Options(), recordings)
    (recordings / "jo/3.txt").write_text("something else altogether")
    assert fingerprint(Options(), recordings) != before
