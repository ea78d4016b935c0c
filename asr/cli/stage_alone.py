"""`asr train` and `asr average`: one stage of a recipe, whose earlier stages are done."""

from collections.abc import Callable

from asr.cli.options import (
    CorpusOption,
    Device,
    DeviceOption,
    ExpOption,
    RecipeArgument,
    SetOption,
)
from asr.cli.run import run


def _only(stage: str, words: str) -> Callable[..., None]:
    def command(
        recipe: RecipeArgument,
        *,
        corpus: CorpusOption = None,
        exp: ExpOption = None,
        overrides: SetOption = None,
        device: DeviceOption = Device.AUTO,
    ) -> None:
        run(
            recipe,
            corpus=corpus,
            exp=exp,
            stage=stage,
            stop_stage=stage,
            overrides=overrides,
            device=device,
        )

    command.__doc__ = words
    return command


train = _only(
    "train",
    """Run only the training stage of a recipe, whose earlier stages are done.

    The same as `asr run RECIPE --stage train --stop-stage train`. This is what torchrun starts on
    several GPUs or machines.
    """,
)
average = _only(
    "average",
    """Average the best epochs of a finished training into a model folder.

    The same as `asr run RECIPE --stage average --stop-stage average`. The mean of the best epochs,
    the moving average where there is one, and the best epoch are measured on dev; the best of
    them becomes the model.
    """,
)
