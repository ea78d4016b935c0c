from typing import Any

import pytest

from asr.augment.settings import AugmentSettings
from asr.errors import ConfigError


def parse(**values: Any) -> AugmentSettings:
    return AugmentSettings.parse(values, "r.yaml: augment")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"speeds": []}, "key 'speeds': .*at least 1"),
        ({"speeds": [0.9, 0.0]}, r"key 'speeds\.1': .*greater than or equal to 0\.5"),
        ({"speeds": [-1.0]}, r"key 'speeds\.0'"),
        ({"speeds": [110]}, r"key 'speeds\.0': .*less than or equal to 2"),
        ({"frequency_mask_share": 1.5}, "key 'frequency_mask_share'"),
        ({"time_mask_frames": -1}, "key 'time_mask_frames'"),
        ({"noise_snr": [5, 30]}, "unknown key 'noise_snr'; did you mean 'noise'"),
        ({"noise": {"snr": [30, 10]}}, r"key 'noise\.snr': the first \(30\) must not be above the"),
        ({"noise": {"snr": [5, float("nan")]}}, r"key 'noise\.snr\.1': .*finite"),
        ({"noise": {"probability": 1.1}}, r"key 'noise\.probability'"),
        ({"noise": {"dir": "x"}}, r"unknown key 'noise\.dir'; known keys: folder, prob"),
        ({"noise": True}, "key 'noise': True came; expected a section"),
        ({"reverb": {"rt60": [0.0, 0.5]}}, r"key 'reverb\.rt60\.0': .*0\.01"),
        ({"reverb": {"rt60": [0.8, 0.5]}}, r"key 'reverb\.rt60': the first \(0\.8\)"),
        ({"gain_db": 6}, "key 'gain_db'"),
        ({"gain_db": [6, -6]}, r"key 'gain_db': the first \(6\)"),
        ({"band": {"low_hz": [100, 4000]}}, r"key 'band': low_hz \(up to 4000\) must stay below"),
        ({"time_masks": 2}, "unknown key 'time_masks'; did you mean 'time_mask_frames'"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^r.yaml: augment: {words}"):
        parse(**values)


def test_a_section_is_turned_on_by_naming_it_and_off_by_null() -> None:
    settings = parse(noise={}, reverb=None)
    assert settings.noise is not None
    assert settings.noise.snr == (5.0, 30.0)
    assert settings.reverb is None
    assert parse() == AugmentSettings()
    assert parse().noise is None


def test_settings_say_which_folders_they_read() -> None:
    assert parse(noise={}, reverb={}).folders == ()
    assert parse(noise={"folder": "cafes"}).folders == ("cafes",)
    assert parse(noise={"folder": "n"}, reverb={"folder": "r"}).folders == ("r", "n")
