import sys

import numpy as np
import pytest

from asr.errors import ConfigError

pytest.importorskip("espeakng_loader")

from data_prep.espeak import Synthesizer, variants


@pytest.fixture(scope="module")
def synthesizer():
    with Synthesizer() as synthesizer:
        yield synthesizer


def test_speech_lasts_as_long_as_a_person_would_need(synthesizer):
    speech = synthesizer.speak("three one four", "en-us+f3", rate=150)
    assert 0.6 < len(speech.samples) / speech.sample_rate < 2.0


def test_speech_is_neither_silent_nor_clipped(synthesizer):
    for voice in ("en-us+f3", "en+iven", "en-us+AnxiousAndy", "en-029+m1"):
        peak = np.abs(synthesizer.speak("seven nine", voice).samples.astype(int)).max()
        assert 500 < peak < 32767


def test_faster_rate_makes_shorter_speech(synthesizer):
    slow, fast = (synthesizer.speak("one two three", "en", rate=rate) for rate in (120, 220))
    assert len(fast.samples) < 0.8 * len(slow.samples)


def test_higher_pitch_raises_the_fundamental_frequency(synthesizer):
    low, high = (
        _fundamental(synthesizer.speak("nine nine", "en-us+m1", pitch=pitch)) for pitch in (20, 80)
    )
    assert 50 < low < high < 400
    assert high > 1.2 * low


def test_female_variant_speaks_higher_than_male(synthesizer):
    female, male = (
        _fundamental(synthesizer.speak("nine nine", f"en-us+{name}")) for name in ("f2", "m3")
    )
    assert female > 1.3 * male


def test_words_follow_each_other_from_start_to_end(synthesizer):
    speech = synthesizer.speak("four nine two", "en")
    assert [word.text for word in speech.words] == ["four", "nine", "two"]
    starts = [word.start for word in speech.words]
    assert starts == sorted(set(starts))
    assert [word.end for word in speech.words] == [*starts[1:], len(speech.samples)]


def test_what_was_said_elsewhere_in_the_process_changes_nothing():
    said = []
    for before in ("", "something else that is longer"):
        with Synthesizer() as other:
            other.speak(before, "en-us+croak")
            with Synthesizer() as fresh:
                said.append(fresh.speak("three one four", "en-us+f3", seed=7).samples)
    assert np.array_equal(*said)


def test_every_variant_has_a_sound_of_its_own(synthesizer):
    names = variants()
    assert len(names) > 80
    said = {synthesizer.speak("seven", f"en-us+{name}").samples.tobytes() for name in names}
    assert len(said) == len(names)


@pytest.mark.parametrize("voice", ["en-us+nobody", "xx-yy", "xx-yy+f3"])
def test_unknown_voice_is_an_error_that_names_it(synthesizer, voice):
    with pytest.raises(ConfigError, match=f"voice '{voice.replace('+', '.')}'.*en-us.f3"):
        synthesizer.speak("one", voice)


def test_interruption_inside_the_library_is_raised_after_it(synthesizer, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np.ctypeslib, "as_array", interrupt)
        with pytest.raises(KeyboardInterrupt):
            synthesizer.speak("one two three", "en")
    assert len(synthesizer.speak("one two three", "en").samples) > 0


def test_missing_wheel_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ConfigError, match=r"pip install 'asr\[demo\]'"):
        Synthesizer()


def test_closing_twice_is_harmless_and_leaves_no_files(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    synthesizer = Synthesizer()
    assert list(tmp_path.iterdir())
    synthesizer.close()
    synthesizer.close()
    assert not list(tmp_path.iterdir())


def _fundamental(speech):
    """Median pitch in Hz, by the autocorrelation of 40 ms frames."""
    rate = speech.sample_rate
    size = rate // 25
    samples = speech.samples.astype(float)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    loud = frames[(frames**2).mean(axis=1) > 0.3 * (samples**2).mean()]
    lags = np.arange(rate // 400, rate // 50)
    best = [lags[np.argmax([np.dot(frame[:-lag], frame[lag:]) for lag in lags])] for frame in loud]
    return rate / np.median(best)
