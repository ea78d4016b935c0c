"""Export: a model folder of its own, to be copied and given away, with smaller weights."""

import shutil
from dataclasses import replace
from pathlib import Path

from asr.bundle import load_bundle, model_folder, read_description, save_bundle, stored_as
from asr.decoding.folder import DECODER, WORDS
from asr.decoding.language_model import LANGUAGE_MODEL
from asr.errors import ConfigError
from asr.files import whole_folder
from asr.rnnlm.model import has_rnn, load_rnn, save_rnn
from asr.weights import Storage


def export_model(model: Path, output: Path, storage: Storage) -> int:
    """Write all that a model needs into a new folder.

    The figures on its card stay those of the weights they were measured with, and it says so.

    Args:
        model: a model folder, or its experiment folder.
        output: a folder that is empty or not there yet.
        storage: of the weights, those of a recurrent language model too.

    Returns:
        The size of the folder, in bytes.

    Raises:
        ModelError: the model cannot be used, or its numbers do not fit.
        ConfigError: there is something in the output folder.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigError(f"{output}: is there already; give a new folder for the model")
    place = model_folder(model)
    before = stored_as(read_description(place))
    bundle = load_bundle(place)
    card = {"measured_with": before} | dict(bundle.card)
    with whole_folder(output) as temporary:
        for name in (DECODER, LANGUAGE_MODEL, WORDS):
            if (place / name).exists():
                shutil.copyfile(place / name, temporary / name)
        if has_rnn(place):
            save_rnn(temporary, load_rnn(place), storage)
        save_bundle(temporary, replace(bundle, card=card), storage)
    return folder_bytes(output)


def folder_bytes(folder: Path) -> int:
    """Size of the files in a model folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
