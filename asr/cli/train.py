"""`asr train`: the training stage of a recipe alone."""

from asr.cli.options import (
    CorpusOption,
    Device,
    DeviceOption,
    ExpOption,
    RecipeArgument,
    SetOption,
)
from asr.cli.run import run


def train(
    recipe: RecipeArgument,
    *,
    corpus: CorpusOption = None,
    exp: ExpOption = None,
    overrides: SetOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Run only the training stage of a recipe, whose earlier stages are done.

    The same as `asr run RECIPE --stage train --stop-stage train`. This is what torchrun starts on
    several GPUs or machines.
    """
    run(
        recipe,
        corpus=corpus,
        exp=exp,
        stage="train",
        stop_stage="train",
        overrides=overrides,
        device=device,
    )
