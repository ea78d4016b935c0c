"""What `asr score --by snr` cuts by: signal-to-noise ratios, measured where nobody says them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.manifest import Utterance
    from asr.scoring.test_set import TestSet


class Listened(NamedTuple):
    """A test set with the ratios of its recordings."""

    test_set: "TestSet"
    known: bool  # whether there is one ratio at least to cut by
    complete: bool  # whether all recordings could be read


def with_snr(test_set: "TestSet", utterances: "Sequence[Utterance]", reference: Path) -> Listened:
    """Add the key `snr`, unless the references have it; what fails is named on stderr.

    Args:
        test_set: to add it to.
        utterances: the recordings of the references.
        reference: the file of these, for messages.

    Raises:
        ConfigError: there are no recordings.
    """
    if any("snr" in known for known in test_set.attributes.values()):
        return Listened(test_set, known=True, complete=True)
    if not utterances:
        raise ConfigError(
            f"--by snr: {reference} names no recordings; give a manifest as the reference, or one "
            "with a key 'snr'"
        )
    from asr.doctor.noise import measure_noise

    noise = measure_noise(utterances)
    attributes = {
        key: {**test_set.attributes[key], "snr": ratio} for key, ratio in noise.ratios.items()
    }
    known = any(ratio is not None for ratio in noise.ratios.values())
    if noise.errors:
        key, error = next(iter(noise.errors.items()))
        more = f", and {len(noise.errors) - 1} more" if len(noise.errors) > 1 else ""
        _notice(f"of {len(noise.errors)} of {len(utterances)} not known: {key}: {error}{more}")
    if not known:
        _notice("not one recording can be measured, so nothing is cut by it")
    return Listened(
        replace(test_set, attributes=attributes), known, complete=known and not noise.errors
    )


def _notice(words: str) -> None:
    typer.echo(f"asr: --by snr: {words}", err=True)
