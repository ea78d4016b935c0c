"""The models that come with the package: asr/models/NAME."""

from pathlib import Path

from asr.errors import ConfigError, ModelError

DEFAULT = "english"
_MODELS = Path(__file__).parent / "models"
_JSON = "model.json"


def choose_model(folder: str | Path | None = None) -> Path:
    """The folder of the model that is meant; the model that comes with asr where none is named.

    Raises:
        ModelError: none is named, and none came with this copy of asr.
    """
    if folder is not None:
        return find_model(Path(folder))
    place = _MODELS / DEFAULT
    if not (place / _JSON).is_file():
        raise ModelError(
            f"no model was named, and this copy of asr has none of its own ({place} has no "
            f"{_JSON}): give a model folder, as --model exp/NAME, or train one: "
            "asr run recipes/mini_librispeech"
        )
    return place


def find_model(folder: Path) -> Path:
    """What a path means: a model that comes with asr may be given by its name, as `english`.

    Raises:
        ModelError: whether anything is there cannot be told.
    """
    shipped = _MODELS / folder
    try:
        named = len(folder.parts) == 1 and not folder.exists() and (shipped / _JSON).is_file()
        (folder / _JSON).exists()  # tells no more than whether one may ask
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be opened ({error.strerror}); check its name and your rights to it"
        ) from None
    return shipped if named else folder


def refuse_shipped(folder: Path) -> None:
    """Raise ConfigError where something would be written into a model that comes with asr."""
    if find_model(folder).resolve().is_relative_to(_MODELS.resolve()):
        raise ConfigError(
            f"{folder}: comes with asr, and is not written into; copy it and take the copy: "
            f"asr export {folder.name} my_model"
        )
