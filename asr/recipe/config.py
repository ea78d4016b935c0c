"""Recipe files: strict YAML and `--set` overrides -> one frozen, validated Recipe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from asr.augment.settings import AugmentSettings
from asr.batching import BatchSettings
from asr.bundle import read_description, refuse_warps
from asr.card import CardSettings
from asr.decoding.beam import BeamSettings
from asr.doctor.settings import CheckSettings
from asr.encoder.encoder import EncoderSettings
from asr.errors import ConfigError, ModelError
from asr.features import FeatureSettings
from asr.files import write_text
from asr.lm.settings import NgramSettings
from asr.recipe.overrides import Override, merge, read_yaml, write_yaml
from asr.rnnlm.model import RnnSettings
from asr.rnnlm.training import RnnTrainingSettings
from asr.settings import Seed, Settings
from asr.text import NORMALIZER_NAMES
from asr.tokens import TokenSettings
from asr.training.denominator import refuse_many_tokens
from asr.training.settings import TrainingSettings
from asr.voices import Warps
from asr.weights import ExportSettings

RECIPE_FILE = "recipe.yaml"
_HEADER = "# Written by `asr run`: the recipe as it was run, defaults and --set included.\n"


class CorpusSettings(Settings):
    """Which corpus, and what its preparation is told."""

    name: str  # a module of data_prep
    options: dict[str, Any] = Field(default_factory=dict)  # see the corpus's own section


class SearchSettings(BeamSettings):
    """How a recipe searches; the weights are tuned on dev, and the beam, up to the one given."""

    beam: int = Field(default=100, ge=1)


class DecodingSettings(Settings):
    """How test sets are decoded."""

    batch: BatchSettings = BatchSettings()
    # Without a language model there is a search where something is said of it, else none.
    search: SearchSettings = SearchSettings()
    # Voices that each recording is heard as: its frequencies warped by each of these factors, and
    # the log-probabilities averaged. Fewer errors where speakers were few, more to compute.
    warps: Warps = ()


class ReportSettings(Settings):
    """What the page of the scores shows."""

    pictures: int = Field(default=20, ge=0)  # utterances of each test set, most of them the worst


class RecurrentSettings(Settings):
    """The recurrent language model of a recipe, over words of the n-gram model."""

    # The most frequent words; the others are one to it. None: all.
    vocabulary: int | None = Field(default=None, ge=1)
    model: RnnSettings = RnnSettings()
    training: RnnTrainingSettings = RnnTrainingSettings()


class LanguageModelSettings(NgramSettings):
    """The n-gram model that is estimated for a recipe; its text is normalised like transcripts."""

    transcripts: bool = True  # whether those of the training are part of the text
    text: tuple[str, ...] = ()  # files, as seen from the working directory; .gz and .xz too
    rnn: RecurrentSettings | None = None  # a recurrent one that ranks again what is found

    @model_validator(mode="after")
    def _over_words(self) -> Self:
        if self.rnn is not None and self.unit != "words":
            raise ValueError("rnn: the recurrent language model is over words; set unit: words")
        return self


class Recipe(Settings):
    """All settings of an experiment; each section is obeyed by the code beside its class."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # also names the experiment folder
    seed: Seed = 1  # of weights, batches, augmentation and dropout
    corpus: CorpusSettings
    normalizer: str = "basic"  # of transcripts; or none; english is for scoring
    test: tuple[str, ...] = ()  # splits to decode; empty: all but train and dev
    check: CheckSettings = CheckSettings()
    tokens: TokenSettings = TokenSettings()
    features: FeatureSettings = FeatureSettings()
    augment: AugmentSettings = AugmentSettings()
    encoder: EncoderSettings = EncoderSettings()
    training: TrainingSettings = TrainingSettings()
    lm: LanguageModelSettings | None = None  # None: without one
    decoding: DecodingSettings = DecodingSettings()
    export: ExportSettings = ExportSettings()
    card: CardSettings = CardSettings()
    report: ReportSettings = ReportSettings()

    @field_validator("normalizer")
    @classmethod
    def _known_normalizer(cls, name: str) -> str:
        if name not in NORMALIZER_NAMES:
            raise ValueError(f"expected one of {', '.join(NORMALIZER_NAMES)}")
        return name

    @model_validator(mode="after")
    def _weights_of_something(self) -> Self:
        usual = DecodingSettings().search
        for key in ("lm_weight", "word_bonus"):
            if self.lm is None and getattr(self.decoding.search, key) != getattr(usual, key):
                raise ValueError(
                    f"decoding.search.{key}: there is no language model to weigh; leave it out, or "
                    "add a section lm"
                )
        return self

    @model_validator(mode="after")
    def _warps_of_mel_bands(self) -> Self:
        drawn = (self.augment.frequency_warp,) if self.augment.frequency_warp else ()
        for key, warps in (
            ("decoding.warps", self.decoding.warps),
            ("augment.frequency_warp", drawn),
        ):
            try:
                refuse_warps(self.features, warps)
            except ConfigError as error:
                raise ValueError(f"{key}: {error}") from None
        return self

    @model_validator(mode="after")
    def _few_competitors(self) -> Self:
        if self.training.mmi is not None and self.tokens.kind == "bpe":
            try:
                refuse_many_tokens(self.tokens.size)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self

    @property
    def searches(self) -> bool:
        """Whether decoding is more than the best token of each frame."""
        return self.lm is not None or self.decoding.search != DecodingSettings().search


def find_recipe(path: Path) -> Path:
    """Return the YAML file of a recipe, which is given as that file or as its folder.

    Raises:
        ConfigError: there is none; names the one in `recipes/` where there is one.
    """
    if path.is_file():
        return path
    if (path / RECIPE_FILE).is_file():
        return path / RECIPE_FILE
    if path.is_dir():
        raise ConfigError(f"{path}: the folder has no {RECIPE_FILE}; name a recipe's own folder")
    near = Path("recipes") / path
    if near.exists():
        raise ConfigError(f"{path}: there is no such recipe; did you mean {near}?")
    raise ConfigError(
        f"{path}: there is no such recipe; give a folder with a {RECIPE_FILE}, or a YAML file"
    )


def load_recipe(path: Path, overrides: Sequence[str | Override] = ()) -> Recipe:
    """Read and validate a recipe.

    Args:
        path: its folder or its YAML file.
        overrides: 'training.epochs=5' and the like, the value in YAML; later ones win.

    Raises:
        ConfigError: naming the file and line, or the file or override and the key.
    """
    file = find_recipe(path)
    return _resolve(read_yaml(file), str(file), overrides)


def default_recipe(overrides: Sequence[str] = ()) -> Recipe:
    """Make a recipe of nothing but defaults and overrides, for a corpus of the user's own.

    Raises:
        ConfigError: naming the override and the key.
    """
    values = {"name": "default", "corpus": {"name": "table"}}
    return _resolve(values, "the defaults", overrides)


def _resolve(values: Mapping[str, Any], origin: str, overrides: Sequence[str | Override]) -> Recipe:
    """Lay overrides over the values of a recipe file, and validate them."""
    parsed = [Override.parse(one) if isinstance(one, str) else one for one in overrides]
    merged: Mapping[str, Any] = values
    for override in parsed:
        merged = merge(merged, override)

    merged = _complete_from_start(merged)

    def source(key: str) -> str:
        return _source(key, origin, values, parsed)

    return Recipe.parse(merged, source)


def _complete_from_start(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a recipe leaves open is as in the model that it starts from, if it names one.

    A model that is not there is left to the stages that need it.
    """
    training = values.get("training")
    named = training.get("initialize_from") if isinstance(training, Mapping) else None
    if not isinstance(named, str):
        return values
    try:
        model = read_description(Path(named))
    except ModelError:
        return values
    start = {key: model.get(key) for key in ("features", "encoder")}
    start |= {"tokens": {"kind": "model"}, "decoding": {"warps": model.get("warps", [])}}
    completed: dict[str, Any] = {"normalizer": model.get("normalizer")} | dict(values)
    for key, section in start.items():
        own = values.get(key) or {}
        if isinstance(section, Mapping) and isinstance(own, Mapping):
            completed[key] = dict(section) | dict(own)
    return completed


def dump_recipe(recipe: Recipe, folder: Path) -> Path:
    """Write a resolved recipe into an experiment folder, whole or not at all.

    Raises:
        ConfigError: a recipe file that a person wrote stands there.
    """
    path = folder / RECIPE_FILE
    if path.exists() and not path.read_text(encoding="utf-8").startswith(_HEADER):
        raise ConfigError(
            f"{path}: was not written by 'asr run' and will not be overwritten; "
            "choose another --exp folder"
        )
    write_text(path, _HEADER + write_yaml(recipe.model_dump(mode="json")))
    return path


def _source(key: str, origin: str, values: Mapping[str, Any], overrides: Sequence[Override]) -> str:
    """Where the value of a dotted key came from."""
    for override in reversed(overrides):
        if f"{key}.".startswith(f"{override.key}."):
            return str(override)
        if not key or override.key.startswith(f"{key}."):
            return str(override) if not _has(values, key) else f"{origin} with {override}"
    return origin


def _has(values: Mapping[str, Any], key: str) -> bool:
    found: Any = values
    for part in key.split(".") if key else ():
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True
