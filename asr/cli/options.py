"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.emission_decoder import DecodingOptions


class Device(StrEnum):
    """Where the computing is done; auto takes the best there is."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


RecipeArgument = Annotated[Path, typer.Argument(help="A recipe's folder, or its YAML file.")]
CorpusOption = Annotated[Path | None, typer.Option(help="Where the corpus lies.")]
ExpOption = Annotated[Path | None, typer.Option(help="Experiment folder; else exp/<recipe name>.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: training.epochs=5."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
GreedyOption = Annotated[
    bool, typer.Option("--no-lm", help="Leave the model's language model and lexicon alone.")
]
BeamOption = Annotated[
    int | None, typer.Option(min=1, help="Hypotheses kept at each frame; else the model's number.")
]
LmWeightOption = Annotated[
    float | None, typer.Option(min=0.0, help="Of the n-gram model; else the tuned one.")
]
HotwordsOption = Annotated[
    str | None, typer.Option(help='Words and phrases to expect, with commas between: "Kepler,K2".')
]
HotwordBonusOption = Annotated[
    float | None,
    typer.Option(
        help="Nats by which a hotword may sound less probable and be taken: 8 if not said."
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        help="A model folder, or the experiment folder it lies in; else the model that comes "
        "with asr."
    ),
]


def decoding_options(
    *,
    greedy: bool,
    beam: int | None,
    lm_weight: float | None,
    hotwords: str | None,
    bonus: float | None,
    nbest: int | None = None,
) -> "DecodingOptions":
    """What the options say of decoding. Raises ConfigError where they contradict each other."""
    from asr.decoding.revision import Hotwords
    from asr.emission_decoder import DecodingOptions
    from asr.errors import ConfigError

    search = {"beam": beam, "lm_weight": lm_weight, "nbest": nbest}
    given = {key: value for key, value in search.items() if value is not None}
    if greedy and given:
        raise ConfigError(
            "--no-lm leaves nothing to search: give it without --beam, --lm-weight, --nbest"
        )
    texts = tuple(text.strip() for text in (hotwords or "").split(",") if text.strip())
    if not texts and (hotwords is not None or bonus is not None):
        raise ConfigError(
            'hotwords: none are named, though an option is about them; --hotwords "Kepler,K2"'
        )
    hoped = None
    if texts:
        hoped = Hotwords(texts) if bonus is None else Hotwords(texts, bonus)
    return DecodingOptions(greedy=greedy, search=given, hotwords=hoped)
