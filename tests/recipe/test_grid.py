"""`--over` options: what they say, every combination of it, and folder names for each."""

import itertools

import pytest

from asr.errors import ConfigError
from asr.recipe.grid import Axis, combine, parse_axes
from asr.recipe.overrides import Override


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("encoder.cell=tanh,lstm", ("tanh", "lstm")),
        ("encoder.bidirectional=false,true", (False, True)),
        ("encoder.layers=4", (4,)),
        ("training.optimizer.learning_rate=1e-3,0.01", (0.001, 0.01)),
        ("encoder.projection=null,64", (None, 64)),
        ("augment.speeds=[1.0],[0.9, 1.0, 1.1]", ([1.0], [0.9, 1.0, 1.1])),
        ("corpus.options.held_out=theo,'a,b'", ("theo", "a,b")),
    ],
)
def test_values_are_read_as_set_reads_them(text: str, values: tuple[object, ...]) -> None:
    axis = Axis.parse(text)
    assert axis.key == text.partition("=")[0]
    assert axis.values == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]


def test_combinations_are_the_full_product_and_the_last_option_changes_fastest() -> None:
    axes = parse_axes(["encoder.cell=tanh,gru", "encoder.layers=1,2,4"])
    found = [tuple(one.values.values()) for one in combine(axes)]
    assert found == list(itertools.product(["tanh", "gru"], [1, 2, 4]))
    assert list(combine(axes)[0].values) == ["encoder.cell", "encoder.layers"]


def test_folders_say_what_is_in_them() -> None:
    axes = parse_axes(["encoder.cell=tanh,lstm", "encoder.bidirectional=true", "seed=1,2"])
    assert [one.name for one in combine(axes)][:3] == [
        "cell=tanh,bidirectional=true,seed=1",
        "cell=tanh,bidirectional=true,seed=2",
        "cell=lstm,bidirectional=true,seed=1",
    ]


def test_settings_that_end_alike_are_told_apart() -> None:
    (one,) = combine(parse_axes(["training.batch.max_frames=9", "decoding.batch.max_frames=8"]))
    assert one.name == "training.batch.max_frames=9,decoding.batch.max_frames=8"


@pytest.mark.parametrize("value", ["'../../etc'", "'a/b'", "'a:b*?'", "'c\\d'", "' '"])
def test_no_value_leads_out_of_the_folder_of_the_sweep(value: str) -> None:
    (one,) = combine([Axis.parse(f"normalizer={value}")])
    assert not set(one.name) & set('/\\:*?"<>| ')


def test_combinations_are_overrides_that_name_their_option() -> None:
    (one,) = combine(parse_axes(["encoder.layers=2"]))
    assert [str(override) for override in one.overrides] == ["--over encoder.layers=2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["encoder.layers"], r"--over encoder.layers: expected key=value,value, such as"),
        (["=1,2"], r"--over =1,2: expected key=value"),
        (["encoder.layers="], r"--over encoder.layers=: no values came"),
        (["encoder.layers=1,,2"], r"--over encoder.layers=1,,2: not valid YAML"),
        (["encoder.layers=1],[2"], r"not valid YAML"),
        (["encoder.layers=1,2,1"], r"1 and 1 would share the folder name '1'; give each value"),
        (["name=a/b,a_b"], r"a/b and a_b would share the folder name 'a_b'"),
        (["name=LSTM,lstm"], r"LSTM and lstm would share"),  # on disks that ignore case
        (["seed=1", "seed=2"], r"--over seed and --over seed are about the same setting"),
        (["encoder.cell=gru", "encoder={}"], r"encoder.cell and --over encoder are about"),
    ],
)
def test_mistakes_say_what_came_and_what_was_expected(options: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_axes(options)


def test_a_setting_cannot_be_both_set_and_swept() -> None:
    overrides = [Override.parse("encoder.layers=3")]
    with pytest.raises(ConfigError, match=r"--set encoder.layers=3 and --over encoder.layers"):
        parse_axes(["encoder.layers=1,2"], overrides)
    parse_axes(["encoder.layers=1,2"], [Override.parse("encoder={cell: gru}")])
