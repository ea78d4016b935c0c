"""torchrun's environment: which of how many processes this one is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from asr.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """One process of a launch; alone unless torchrun says otherwise."""

    rank: int = 0  # 0 keeps the books
    world_size: int = 1
    id: str = ""  # the same in all processes of one launch


def current_launch(environ: Mapping[str, str] = os.environ) -> Launch:
    """Read RANK, WORLD_SIZE and what names the launch.

    Raises:
        ConfigError: the variables contradict each other.
    """
    size, rank = environ.get("WORLD_SIZE", "1"), environ.get("RANK", "0")
    if not size.isdecimal() or not rank.isdecimal() or int(rank) >= max(int(size), 1):
        raise ConfigError(
            f"environment: RANK={rank} and WORLD_SIZE={size} came; expected whole numbers, RANK "
            "below WORLD_SIZE, as torchrun sets them"
        )
    if int(size) <= 1:
        return Launch()
    if "RANK" not in environ:
        raise ConfigError(
            f"environment: WORLD_SIZE={size} is set but RANK is not; "
            "start with torchrun, or unset WORLD_SIZE"
        )
    names = ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT")
    return Launch(int(rank), int(size), ":".join(environ.get(name, "") for name in names))
