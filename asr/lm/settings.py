"""What an n-gram model is to be."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from asr.settings import Settings

Unit = Literal["words", "characters"]


class NgramSettings(Settings):
    """An n-gram model and its vocabulary."""

    order: int = Field(default=3, ge=1, le=6)
    unit: Unit = "words"
    vocabulary: int | None = Field(default=None, ge=1)  # the most frequent words; None: all
    # By order, how often an n-gram may occur and still be left out; the last is for all beyond.
    cutoffs: tuple[Annotated[int, Field(ge=0)], ...] = ()
    keep: int | None = Field(default=None, ge=0)  # n-grams of two words and more; None: all

    @model_validator(mode="after")
    def _possible(self) -> Self:
        cutoffs = [0, *self.cutoffs]
        if self.cutoffs and self.cutoffs[0] != 0:
            raise ValueError("cutoffs: the first is that of single words, which all stay: 0")
        if cutoffs != sorted(cutoffs):
            raise ValueError(
                f"cutoffs: {list(self.cutoffs)} falls; what is kept of long n-grams needs their "
                "beginnings, so that no cutoff may be lower than that of the order before"
            )
        if len(self.cutoffs) > self.order:
            raise ValueError(f"cutoffs: {len(self.cutoffs)} of them for {self.order} orders")
        return self
