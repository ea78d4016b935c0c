"""The recipes that come along, and the stages before training: splits, check, tokens."""

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from synthetic_speech import RATE, speak, write_utterances

from asr.dataset import FrontEnd, SpeechDataset
from asr.errors import AudioError, ConfigError, DataError
from asr.features import FeatureExtractor
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.recipe import corpus
from asr.recipe.config import Recipe, load_recipe
from asr.recipe.grid import combine, parse_axes
from asr.recipe.stages import build_stages
from asr.text import Normalizer
from asr.tokens import Characters
from asr.training.loss import refuse_infeasible
from data_prep import load_corpus

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    "path", sorted(RECIPES.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_recipe_loads_with_its_corpus_options(path: Path) -> None:
    recipe = load_recipe(path)
    load_corpus(recipe.corpus.name).Options.parse(recipe.corpus.options, str(path))
    stages = build_stages(recipe, corpus_folder=None, device="cpu")
    assert [stage.name for stage in stages][-1] == "score"


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in RECIPES.glob("*/recipe.yaml")), ids=lambda f: f.name
)
def test_a_recipe_is_named_as_its_folder_is(folder: Path) -> None:
    assert load_recipe(folder).name == folder.name


@pytest.mark.parametrize(
    "path", sorted(RECIPES.glob("*/run.sh")), ids=lambda path: path.parent.name
)
def test_a_recipe_needs_no_program_of_its_own(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 10
    assert not list(path.parent.glob("**/*.py"))


def make_recipe(**settings: Any) -> Recipe:
    values = {
        "name": "test",
        "corpus": {"name": "table"},
        "features": {"sample_rate": RATE, "mels": 8},
        "augment": {"speeds": [1.0]},
        "encoder": {"hidden": 4, "layers": 1, "factor": 4},
        "check": {"max_bad_fraction": 0.5},
    }
    return Recipe.parse(values | settings, "test")


class Experiment:
    """Manifests of made-up speech, and the folders of the stages that read them."""

    def __init__(self, folder: Path) -> None:
        self.folders = {name: folder / name for name in ("prepare", "check", "tokens")}
        for path in self.folders.values():
            path.mkdir()
        for split in ("train", "dev", "test"):
            self.speak(split, ["ab cab", "bac", "cab b", "abc"])

    def speak(self, split: str, texts: list[str]) -> list[Utterance]:
        return write_utterances(self.folders["prepare"], texts, name=split)

    def change(self, split: str, number: int, **changes: Any) -> Utterance:
        """Change one utterance in a manifest, and return it."""
        path = self.folders["prepare"] / f"{split}.jsonl"
        utterances = read_manifest(path)
        utterances[number] = Utterance(**vars(utterances[number]) | changes)
        write_manifest(path, utterances)
        return utterances[number]

    def check(self, recipe: Recipe) -> dict[str, list[str]]:
        """Run the stage; ids of what is left out, by split."""
        corpus.check(recipe, self.folders, self.folders["check"])
        left_out: dict[str, list[str]] = json.loads(
            (self.folders["check"] / "left_out.json").read_text(encoding="utf-8")
        )
        return left_out

    def findings(self) -> dict[str, Any]:
        path = self.folders["check"] / "findings.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path)


def test_training_starts_anew_where_its_recordings_of_noise_changed(tmp_path: Path) -> None:
    def fingerprint(**augment: Any) -> str | None:
        stages = build_stages(make_recipe(augment=augment), corpus_folder=None, device="cpu")
        return next(stage for stage in stages if stage.name == "train").external()

    assert fingerprint(noise={}, reverb={}) == ""
    noise = {"folder": str(tmp_path / "cafes")}
    assert fingerprint(noise=noise) is None  # not at hand: what was made stands
    soundfile.write(tmp_path / "a.wav", np.full(100, 0.1), RATE)
    (tmp_path / "cafes").mkdir()
    (tmp_path / "a.wav").rename(tmp_path / "cafes/a.wav")
    before = fingerprint(noise=noise)
    assert before
    assert fingerprint(noise=noise) == before
    soundfile.write(tmp_path / "cafes/b.wav", np.full(100, 0.1), RATE)
    assert fingerprint(noise=noise) not in (before, None, "")


class TestSplits:
    """Which splits are decoded and scored."""

    @pytest.mark.parametrize(
        ("there", "wanted", "expected"),
        [
            (["train", "dev", "test"], [], ["test"]),
            (["train", "dev", "other", "clean"], [], ["clean", "other"]),
            (["train", "dev", "other", "clean"], ["other"], ["other"]),
            (["train", "dev", "test"], ["dev", "test"], ["dev", "test"]),
            (["train", "dev"], [], ["dev"]),
        ],
    )
    def test_those_the_recipe_names_or_all_but_train_and_dev(
        self, tmp_path: Path, there: list[str], wanted: list[str], expected: list[str]
    ) -> None:
        for name in there:
            (tmp_path / f"{name}.jsonl").touch()
        (tmp_path / "rejected.tsv").touch()
        assert corpus.test_splits(make_recipe(test=wanted), tmp_path) == expected

    def test_a_split_that_is_not_there_is_named_with_those_that_are(self, tmp_path: Path) -> None:
        for name in ("train", "dev", "test-clean"):
            (tmp_path / f"{name}.jsonl").touch()
        expected = "key 'test': no split 'test-claen'; there are: dev, test-clean, train"
        with pytest.raises(ConfigError, match=expected):
            corpus.test_splits(make_recipe(test=["test-claen"]), tmp_path)


class TestCheck:
    """What is left out, what stops, and that whatever passes can be trained on and decoded."""

    def test_good_data_passes_whole(self, experiment: Experiment) -> None:
        assert experiment.check(make_recipe()) == {"train": [], "dev": []}
        assert set(experiment.findings()) == {"train", "dev", "test"}

    def test_what_sets_share_is_reported_and_stays_in(self, experiment: Experiment) -> None:
        assert experiment.check(make_recipe()) == {"train": [], "dev": []}
        found = experiment.findings()
        assert found["train"]["problems"] == {}
        for split in ("dev", "test"):
            assert found[split]["problems"] == {"leak-audio": 4}
        page = (experiment.folders["check"] / "check.html").read_text(encoding="utf-8")
        assert '"source":"../prepare/dev-000.wav#t=0,' in page

    def test_a_transcript_too_long_for_its_frames_is_left_out_by_name(
        self, experiment: Experiment, capsys: pytest.CaptureFixture[str]
    ) -> None:
        experiment.change("train", 2, text="abc" * 20)
        experiment.change("dev", 0, text="cab" * 20)
        assert experiment.check(make_recipe()) == {"train": ["train-002"], "dev": ["dev-000"]}
        (finding,) = experiment.findings()["train"]["findings"]
        assert (finding["id"], finding["problem"]) == ("train-002", "infeasible")
        assert "60 characters need 60 encoder frames" in finding["detail"]
        assert "train: 3 usable" in (said := capsys.readouterr().err)
        assert "1 infeasible; not usable: train-002" in said

    def test_more_of_them_than_the_recipe_bears_stop_the_run(self, experiment: Experiment) -> None:
        experiment.change("train", 2, text="abc" * 20)
        with pytest.raises(DataError, match=r"train: 1 of 4 .*\(25.0 %.*train-002.*infeasib"):
            experiment.check(make_recipe(check={"max_bad_fraction": 0.2}))

    def test_what_fits_only_unhurried_is_left_out_of_a_training_with_hurry(
        self, experiment: Experiment
    ) -> None:
        experiment.change("train", 1, text="abcabcabc")
        assert experiment.check(make_recipe())["train"] == []
        experiment.change("dev", 1, text="abcabcabc")
        hurried = make_recipe(augment={"speeds": [1.0, 1.5]})
        # Nobody hurries dev.
        assert experiment.check(hurried) == {"train": ["train-001"], "dev": []}

    @pytest.mark.parametrize("speeds", [(1.0,), (0.9, 1.0, 1.1), (1.0, 1.37)], ids=str)
    @pytest.mark.parametrize("factor", [1, 3, 8])
    def test_training_never_meets_a_target_that_the_check_let_pass(
        self, experiment: Experiment, speeds: tuple[float, ...], factor: int
    ) -> None:
        """Texts of every length around the limit; the check may be stricter, by little."""
        recipe = make_recipe(
            augment={"speeds": speeds},
            encoder={"hidden": 4, "layers": 1, "factor": factor},
            check={"max_bad_fraction": 1.0},
        )
        seconds = experiment.speak("train", ["a" * 6] * 50)[0].duration
        most = recipe.features.frames(int(seconds / max(speeds) * RATE)) // factor
        for number in range(50):
            experiment.change("train", number, text=("ab" * 99)[: max(1, most - 25 + number)])
        left_out = experiment.check(recipe)["train"]
        assert 20 <= len(left_out) < 30
        usable = corpus.read_usable(experiment.folders, "train")
        dataset = SpeechDataset(
            usable,
            FrontEnd(FeatureExtractor(recipe.features), None),
            tokens=Characters("ab"),
            normalizer=Normalizer("basic"),
            augment=recipe.augment,
        )
        refuse_infeasible(dataset, make_encoder(recipe))
        longest = max(range(len(usable)), key=lambda index: len(usable[index].text or ""))
        for epoch in range(6):
            frames = len(dataset.example(longest, epoch).features)
            assert make_encoder(recipe).frames(frames) >= len(usable[longest].text or "")

    def test_recordings_for_augmentation_that_cannot_be_used_are_named_before_training(
        self, experiment: Experiment, tmp_path: Path
    ) -> None:
        cafes = tmp_path / "cafes"
        recipe = make_recipe(augment={"noise": {"folder": str(cafes)}})
        with pytest.raises(ConfigError, match=r"^augment\.noise\.folder: .*cafes does not exist"):
            experiment.check(recipe)
        cafes.mkdir()
        (cafes / "a.wav").write_text("not sound")
        with pytest.raises(AudioError, match=r"^augment\.noise\.folder: .*a\.wav: not audio"):
            experiment.check(recipe)

    def test_characters_that_training_never_shows_are_named_and_dev_keeps_them(
        self, experiment: Experiment, capsys: pytest.CaptureFixture[str]
    ) -> None:
        experiment.change("dev", 1, text="bäc")
        left_out = experiment.check(make_recipe(check={"max_bad_fraction": 0}))
        assert left_out == {"train": [], "dev": []}
        assert "dev: 'ä' (U+00E4) x 1: not in the training" in capsys.readouterr().err

    def test_characters_of_utterances_that_are_left_out_are_not_known(
        self, experiment: Experiment, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The tokens are learned from what is left in."""
        experiment.change("train", 0, text="ä" * 100)
        experiment.change("dev", 1, text="bäc")
        assert experiment.check(make_recipe())["train"] == ["train-000"]
        assert "'ä'" in capsys.readouterr().err

    def test_refusal_leaves_all_findings_where_it_says(self, experiment: Experiment) -> None:
        for number in range(4):
            experiment.change("train", number, text="")
        with pytest.raises(DataError, match=r"4 empty-text.*all of them: .*findings\.json"):
            experiment.check(make_recipe(check={"max_bad_fraction": 0.5}))
        assert len(experiment.findings()["train"]["findings"]) == 4

    def test_recordings_at_another_rate_are_counted(
        self, experiment: Experiment, capsys: pytest.CaptureFixture[str]
    ) -> None:
        experiment.change("train", 1, sample_rate=2 * RATE)
        experiment.check(make_recipe())
        assert f"1 of another sample rate, resampled to {RATE} Hz" in capsys.readouterr().err

    def test_a_test_set_may_say_what_training_never_showed(self, experiment: Experiment) -> None:
        experiment.change("test", 1, text="xyz" * 50)
        experiment.check(make_recipe(check={"max_bad_fraction": 0}))

    @pytest.mark.parametrize("text", [None, "...!"])
    def test_a_test_set_must_have_a_transcript_for_every_recording(
        self, experiment: Experiment, text: str | None
    ) -> None:
        experiment.change("test", 2, text=text)
        with pytest.raises(DataError, match=r"test: 1 of 4.*test-002.*(no|empty)-text"):
            experiment.check(make_recipe())

    @pytest.mark.parametrize("split", ["test", "dev"])
    @pytest.mark.parametrize("trouble", ["silent", "unreadable", "shorter than a frame"])
    def test_a_recording_that_could_not_be_decoded_stops_the_run_before_training(
        self, experiment: Experiment, split: str, trouble: str
    ) -> None:
        """Whatever the recipe bears: a test set is never thinned out; here dev is one too."""
        path = experiment.change(split, 3).audio_path
        if trouble == "silent":
            soundfile.write(path, np.zeros(2160), RATE)
        elif trouble == "unreadable":
            path.write_text("not audio")
        else:
            soundfile.write(path, speak("a")[600:800], RATE)
            experiment.change(split, 3, duration=200 / RATE)
        with pytest.raises(DataError, match=rf"{split}( as a test set)?: 1 of 4 .*{split}-003"):
            experiment.check(make_recipe(test=[split]))

    def test_unreadable_training_recordings_are_left_out_by_name(
        self, experiment: Experiment
    ) -> None:
        experiment.change("train", 3).audio_path.write_text("not audio")
        experiment.change("dev", 2).audio_path.unlink()
        assert experiment.check(make_recipe()) == {"train": ["train-003"], "dev": ["dev-002"]}

    def test_nothing_left_to_train_on_is_an_error(self, experiment: Experiment) -> None:
        for number in range(4):
            experiment.change("dev", number).audio_path.unlink()
        experiment.check(make_recipe(check={"max_bad_fraction": 1.0}))
        with pytest.raises(DataError, match=r"dev.jsonl: no usable utterance is left"):
            corpus.read_usable(experiment.folders, "dev")


class TestTokens:
    """Whether tokens fit into their frames is decided in tokens, whatever the letters are."""

    @pytest.fixture
    def recipe(self, tmp_path: Path) -> Any:
        """A recipe of phones: a long word of one, and a short one of thirty."""
        lines = ["ab A B", "cab C A B", "bac B A C", "abc A B C", "b B"]
        lines += [f"{'long' * 10} L", f"q{' Q' * 30}"]
        (tmp_path / "own.dict").write_text("\n".join(lines))

        def recipe(**settings: Any) -> Recipe:
            tokens = {"kind": "phones", "dictionary": str(tmp_path / "own.dict")}
            return make_recipe(tokens=tokens, **settings)

        return recipe

    def tokens(self, experiment: Experiment, recipe: Recipe) -> dict[str, list[dict[str, Any]]]:
        """Run the stage; what it leaves out, by split."""
        corpus.tokens(recipe, experiment.folders, experiment.folders["tokens"])
        path = experiment.folders["tokens"] / "infeasible.json"
        found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def test_many_letters_of_few_phones_stay_and_few_letters_of_many_phones_do_not(
        self, experiment: Experiment, recipe: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        experiment.change("train", 1, text="long" * 10)
        left_out = experiment.change("train", 2, text="q")
        experiment.change("dev", 0, text="q")
        assert experiment.check(recipe()) == {"train": [], "dev": []}
        found = self.tokens(experiment, recipe())
        assert [one["id"] for one in found["train"]] == ["train-002"]
        assert [one["id"] for one in found["dev"]] == ["dev-000"]
        (one,) = found["train"]
        assert (one["tokens"], one["frames_needed"]) == (30, 59)  # a blank between equal ones
        assert one["frames"] < 59
        said = capsys.readouterr().err
        assert (
            f"train: 1 left out, too short for their tokens: train-002, {left_out.audio_path}"
            in said
        )
        usable = corpus.read_usable(experiment.folders, "train")
        learnable = corpus.read_learnable(experiment.folders, "train")
        assert len(usable) == 4
        assert [one.id for one in learnable] == ["train-000", "train-001", "train-003"]

    @pytest.mark.parametrize("speeds", [(1.0,), (1.0, 1.37)], ids=str)
    def test_training_never_meets_what_does_not_fit(
        self, experiment: Experiment, recipe: Any, speeds: tuple[float, ...]
    ) -> None:
        """Texts of every length around the limit."""
        chosen = recipe(augment={"speeds": speeds}, check={"max_bad_fraction": 1.0})
        experiment.speak("train", ["abc"] * 40)
        for number in range(40):
            experiment.change("train", number, text="abc " * (number // 3) + "b" * (number % 3))
        experiment.change("train", 0, text="b")
        experiment.check(chosen)
        left_out = self.tokens(experiment, chosen)["train"]
        learnable = corpus.read_learnable(experiment.folders, "train")
        assert 2 <= len(learnable) < 40
        assert len(learnable) + len(left_out) == 40

        def dataset(utterances: list[Utterance]) -> SpeechDataset:
            return SpeechDataset(
                utterances,
                FrontEnd(FeatureExtractor(chosen.features), None),
                tokens=corpus.read_tokens(experiment.folders["tokens"]),
                normalizer=Normalizer("basic"),
                augment=chosen.augment,
            )

        refuse_infeasible(dataset(learnable), make_encoder(chosen))
        with pytest.raises(DataError, match="cannot"):
            refuse_infeasible(
                dataset(corpus.read_usable(experiment.folders, "train")), make_encoder(chosen)
            )

    def test_more_than_the_recipe_bears_stop_the_run_and_are_listed(
        self, experiment: Experiment, recipe: Any
    ) -> None:
        experiment.change("train", 2, text="q")
        chosen = recipe(check={"max_bad_fraction": 0.2})
        experiment.check(chosen)
        message = (
            r"train: 1 of 4 utterances cannot be used \(25.0 %, at most 20 % are borne\): 0 by the "
            r"check, 1 too short for their tokens; the first: train-002, .*train-002.wav: 30 "
            r"tokens need 59 .*infeasible\.json; .*--set check\.max_bad_fraction=0\.25"
        )
        with pytest.raises(DataError, match=message):
            self.tokens(experiment, chosen)
        path = experiment.folders["tokens"] / "infeasible.json"
        assert json.loads(path.read_text(encoding="utf-8"))["train"][0]["id"] == "train-002"

    def test_what_the_check_left_out_counts_too(self, experiment: Experiment, recipe: Any) -> None:
        experiment.change("train", 3).audio_path.unlink()
        experiment.change("train", 2, text="q")
        chosen = recipe(check={"max_bad_fraction": 0.4})
        assert experiment.check(chosen)["train"] == ["train-003"]
        with pytest.raises(DataError, match=r"train: 2 of 4 .*1 by the check, 1 too short"):
            self.tokens(experiment, chosen)

    def test_nothing_left_to_learn_from_is_an_error(
        self, experiment: Experiment, recipe: Any
    ) -> None:
        chosen = recipe(check={"max_bad_fraction": 1.0})
        for number in range(4):
            experiment.change("dev", number, text="q")
        experiment.check(chosen)
        self.tokens(experiment, chosen)
        with pytest.raises(DataError, match=r"dev: no utterance is left.*infeasible\.json"):
            corpus.read_learnable(experiment.folders, "dev")

    def test_characters_are_judged_by_the_check_already(self, experiment: Experiment) -> None:
        experiment.change("train", 2, text="abc" * 20)
        assert experiment.check(make_recipe())["train"] == ["train-002"]
        assert self.tokens(experiment, make_recipe()) == {"train": [], "dev": []}
        learnable = corpus.read_learnable(experiment.folders, "train")
        assert [one.id for one in learnable] == ["train-000", "train-001", "train-003"]


def stage_settings(**settings: Any) -> dict[str, dict[str, Any]]:
    stages = build_stages(make_recipe(**settings), corpus_folder=None, device="cpu")
    return {stage.name: dict(stage.settings) for stage in stages}


def test_other_tokens_are_counted_anew_and_recordings_are_not_opened_anew() -> None:
    before = stage_settings(tokens={"kind": "bpe", "size": 10})
    after = stage_settings(tokens={"kind": "bpe", "size": 20})
    assert {name for name in before if before[name] != after[name]} == {"tokens"}
    hurried = stage_settings(tokens={"kind": "bpe", "size": 10}, augment={"speeds": [1.5]})
    assert hurried["tokens"] != before["tokens"]


def test_the_picture_of_the_flow_has_every_stage() -> None:
    picture = (RECIPES.parent / "docs" / "flow.svg").read_text(encoding="utf-8")
    for stage in build_stages(make_recipe(), corpus_folder=None, device="cpu"):
        assert f">{stage.number} {stage.name}<" in picture


def test_the_diagnosis_of_rnn_types_names_folders_that_its_sweep_makes() -> None:
    folder = RECIPES / "rnn_types"
    axes = re.findall(r"--over (\S+)", (folder / "run.sh").read_text(encoding="utf-8"))
    made = [combination.name for combination in combine(parse_axes(axes))]
    assert len(made) == 24
    named = re.findall(
        r"exp/rnn_types_sweep/(cell=[^/\s]+)", (folder / "README.md").read_text(encoding="utf-8")
    )
    assert len(named) == 2
    assert [len(fnmatch.filter(made, pattern)) for pattern in named] == [4, 1]


def make_encoder(recipe: Recipe) -> Any:
    from asr.encoder.encoder import Encoder

    return Encoder(recipe.encoder, inputs=recipe.features.dimension, tokens=3)


def test_asking_for_tensorboard_does_not_call_for_a_new_training() -> None:
    def settings(**training: Any) -> dict[str, Any]:
        stages = build_stages(make_recipe(training=training), corpus_folder=None, device="cpu")
        return {stage.name: dict(stage.settings) for stage in stages}

    assert settings(tensorboard=True) == settings()
    assert settings(max_bad_steps=3) != settings()


def test_tokens_are_the_normalised_characters_of_what_is_trained_on(
    experiment: Experiment,
) -> None:
    experiment.change("train", 0, text="ABC, ab!")
    experiment.change("train", 1, text="x" * 100)  # infeasible
    recipe = make_recipe()
    experiment.check(recipe)
    corpus.tokens(recipe, experiment.folders, experiment.folders["tokens"])
    table = corpus.read_tokens(experiment.folders["tokens"])
    assert table.symbols == ("<blank>", " ", "a", "b", "c")
