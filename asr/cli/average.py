"""`asr average`: the averaging stage of a recipe alone."""

from asr.cli.options import (
    CorpusOption,
    Device,
    DeviceOption,
    ExpOption,
    RecipeArgument,
    SetOption,
)
from asr.cli.run import run


def average(
    recipe: RecipeArgument,
    *,
    corpus: CorpusOption = None,
    exp: ExpOption = None,
    overrides: SetOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Average the best epochs of a finished training into a model folder.

    The same as `asr run RECIPE --stage average --stop-stage average`. The mean of the best epochs,
    the moving average where there is one, and the best epoch are measured on dev; the best of
    them becomes the model.
    """
    run(
        recipe,
        corpus=corpus,
        exp=exp,
        stage="average",
        stop_stage="average",
        overrides=overrides,
        device=device,
    )
