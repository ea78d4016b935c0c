from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from sound_files import RATE, loudest_frequency, sine, write_by_ffmpeg, write_film

from asr.audio import AUDIO_SUFFIXES, ffmpeg, load_audio, read_blocks, read_info, resample
from asr.errors import AudioError

# suffix, container, codec, rate, channels, and how many seconds a codec may add at the ends
FORMATS = [
    ("m4a", "ipod", "aac", 44100, 2, 0.05),
    ("m4a", "ipod", "alac", 16000, 1, 0.0),
    ("mp4", "mp4", "aac", 16000, 1, 0.07),
    ("mov", "mov", "pcm_s16le", 16000, 1, 0.0),
    ("webm", "webm", "libopus", 48000, 1, 0.01),
    ("mkv", "matroska", "aac", 16000, 2, 0.07),
    ("wma", "asf", "wmav2", 16000, 1, 0.07),
    ("amr", "amr", "libopencore_amrnb", 8000, 1, 0.02),
    ("3gp", "3gp", "libopencore_amrnb", 8000, 1, 0.02),
    ("aac", "adts", "aac", 16000, 1, 0.13),
    ("ac3", "ac3", "ac3", 48000, 2, 0.04),
    ("flv", "flv", "aac", 16000, 1, 0.13),
    ("tta", "tta", "tta", 16000, 1, 0.0),
    ("wv", "wv", "wavpack", 16000, 1, 0.0),
    ("ts", "mpegts", "mp2", 16000, 1, 0.08),
    ("mpg", "mpeg", "mp2", 16000, 1, 0.08),
    ("rm", "rm", "ac3", 48000, 2, 0.04),
    ("eac3", "eac3", "eac3", 48000, 2, 0.04),
    ("mxf", "mxf_opatom", "pcm_s16le", 48000, 1, 0.04),
]


def problem_of(path: Path, **part: float) -> str:
    with pytest.raises(AudioError) as error:
        load_audio(path, **part)
    assert str(error.value).startswith(f"{path}: ")
    return error.value.problem


def faststart(tmp_path: Path, seconds: float = 3.0) -> Path:
    """An m4a with its index at the front, so that it can be opened when cut short."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (1, round(seconds * RATE)))
    options = {"container": "ipod", "codec": "aac", "movflags": "+faststart"}
    return write_by_ffmpeg(tmp_path / "fast.m4a", noise, RATE, **options)


@pytest.mark.parametrize(("suffix", "container", "codec", "rate", "channels", "more"), FORMATS)
def test_what_libsndfile_cannot_read_keeps_length_and_pitch(
    tmp_path: Path, suffix: str, container: str, codec: str, rate: int, channels: int, more: float
) -> None:
    samples = np.stack([sine(440, 1.5, rate)] * channels)
    path = tmp_path / f"a.{suffix}"
    write_by_ffmpeg(path, samples, rate, container=container, codec=codec)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(path)
    info, waveform = read_info(path), load_audio(path)
    assert (info.sample_rate, info.channels) == (rate, channels)
    assert info.duration == pytest.approx(waveform.duration, abs=0.04)
    assert waveform.sample_rate == rate
    assert waveform.samples.dtype == np.float32
    assert 1.5 - 0.04 <= waveform.duration <= 1.5 + more
    assert loudest_frequency(waveform) == pytest.approx(440, abs=2)
    middle = waveform.samples[rate // 4 : -rate // 4]
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.08)
    assert path.suffix in AUDIO_SUFFIXES


@pytest.mark.parametrize(("suffix", "container", "codec", "rate", "channels", "more"), FORMATS)
def test_the_timestamps_of_a_whole_recording_are_no_holes(
    tmp_path: Path, suffix: str, container: str, codec: str, rate: int, channels: int, more: float
) -> None:
    """However a container rounds them: nothing is put between the frames, at most before them."""
    path = tmp_path / f"a.{suffix}"
    samples = np.stack([sine(440, 30.0, rate)] * channels)
    write_by_ffmpeg(path, samples, rate, container=container, codec=codec)
    with av.open(str(path)) as file:
        decoded = sum(frame.samples for frame in file.decode(audio=0))
    read = load_audio(path).samples
    before = len(read) - decoded
    assert 0 <= before <= more * rate
    assert not read[:before].any()


@pytest.mark.parametrize(
    ("suffix", "container", "decoder"),
    [
        (".dts", "dts", "dca"),
        (".mpc", "mpc", "mpc7"),
        (".mpc", "mpc8", "mpc8"),
        (".dsf", "dsf", "dsd_lsbf"),
        (".spx", "ogg", "speex"),
        (".ogv", "ogg", "vorbis"),
    ],
)
def test_what_nothing_here_can_write_has_a_reader(
    suffix: str, container: str, decoder: str
) -> None:
    assert suffix in AUDIO_SUFFIXES
    assert container in ffmpeg._CONTAINERS
    assert container in av.formats_available
    assert av.codec.Codec(decoder, "r").type == "audio"


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"])
def test_every_kind_of_sample_has_the_same_full_scale(tmp_path: Path, codec: str) -> None:
    samples = np.stack([sine(440, 0.2), sine(300, 0.2)])
    path = write_by_ffmpeg(tmp_path / "a.mkv", samples, RATE, container="matroska", codec=codec)
    blocks = [np.concatenate([*read_blocks(path, RATE, channel=one)]) for one in (1, 2)]
    np.testing.assert_allclose(blocks, samples, atol=0.01 if codec == "pcm_u8" else 1e-4)


def test_a_part_is_the_same_samples_as_in_the_whole(tmp_path: Path) -> None:
    path = faststart(tmp_path)
    whole = load_audio(path).samples
    part = load_audio(path, offset=1.1, duration=0.7).samples
    np.testing.assert_array_equal(part, whole[17600 : 17600 + 11200])
    np.testing.assert_array_equal(load_audio(path, offset=1.1).samples, whole[17600:])


def test_a_part_that_is_not_in_the_file_is_an_error(tmp_path: Path) -> None:
    path = faststart(tmp_path)
    assert problem_of(path, offset=4.0) == "wrong-duration"
    assert problem_of(path, offset=2.0, duration=2.0) == "wrong-duration"


@pytest.mark.parametrize("seconds", [0.001, 0.1, 100.0])
def test_blocks_are_the_whole_in_parts(tmp_path: Path, seconds: float) -> None:
    path = faststart(tmp_path)
    whole = load_audio(path)
    blocks = [*read_blocks(path, RATE, seconds=seconds)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole.samples)
    assert all(0 < len(block) < seconds * RATE + 2048 for block in blocks)
    other = np.concatenate([*read_blocks(path, 8000, seconds=seconds)])
    np.testing.assert_allclose(other, resample(whole, 8000).samples, atol=1e-4)


def test_the_sound_of_a_film_is_read(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", seconds=3.0, sound=sine(440, 1.0)[None])
    assert loudest_frequency(load_audio(path)) == pytest.approx(440, abs=2)
    assert read_info(path).duration == pytest.approx(1.0, abs=0.1)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", seconds=1.0)
    with pytest.raises(AudioError, match=r"a\.mp4: no sound in this file, only video; expected"):
        load_audio(path)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.85])
@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        ("m4a", "ipod", "aac"),
        ("webm", "webm", "libopus"),
        ("mkv", "matroska", "aac"),
        ("wma", "asf", "wmav2"),
        ("amr", "amr", "libopencore_amrnb"),
        ("aac", "adts", "aac"),
        ("wv", "wv", "wavpack"),
    ],
)
def test_a_truncated_file_is_an_error(
    tmp_path: Path, suffix: str, container: str, codec: str, fraction: float
) -> None:
    rate = {"amr": 8000, "webm": 48000}.get(suffix, RATE)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 3 * rate))
    path = tmp_path / f"a.{suffix}"
    write_by_ffmpeg(path, noise, rate, container=container, codec=codec)
    content = path.read_bytes()
    # An odd number of bytes is never between two frames of amr: it would be a shorter whole file.
    path.write_bytes(content[: int(fraction * len(content)) | 1])
    with pytest.raises(AudioError, match="cut short") as error:
        load_audio(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.95])
def test_an_m4a_with_its_index_at_the_front_is_found_to_be_cut(
    tmp_path: Path, fraction: float
) -> None:
    path = faststart(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    assert problem_of(path) in ("damaged", "cut-short")
    with pytest.raises(AudioError, match="cut short"):
        read_info(path)


def test_damage_in_the_middle_is_an_error_where_it_is_met(tmp_path: Path) -> None:
    path = faststart(tmp_path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(content)
    assert problem_of(path) == "damaged"
    blocks = read_blocks(path, RATE, seconds=0.1)
    assert len(next(blocks)) >= 1600
    with pytest.raises(AudioError, match=r"damaged or cut short \(Invalid data"):
        list(blocks)


def test_a_rate_that_changes_in_the_middle_is_an_error(tmp_path: Path) -> None:
    content = b""
    for rate in (16000, 44100):
        path = tmp_path / f"{rate}.aac"
        write_by_ffmpeg(path, sine(440, 1.0, rate)[None], rate, container="adts", codec="aac")
        content += path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"changes from 16000 Hz and 1 channels to 44100 Hz and 1"):
        load_audio(path)


def secret(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "secret.wav", sine(440, 0.5), RATE)
    return tmp_path / "secret.wav"


def hostile(kind: str, target: str) -> str:
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=audio 5004 RTP/AVP 0\n",
        "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        f"<Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>\n",
    }[kind]


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp", "dash"])
@pytest.mark.parametrize("name", ["x.mp4", "x.m3u8", "x.m4a"])
@pytest.mark.parametrize("where", ["secret.wav", "http://127.0.0.1:9/secret.wav"])
def test_a_list_of_other_files_or_addresses_is_no_recording(
    tmp_path: Path, kind: str, name: str, where: str
) -> None:
    secret(tmp_path)
    (tmp_path / name).write_text(hostile(kind, where))
    assert problem_of(tmp_path / name) == "unreadable"


def test_the_hostile_list_would_be_followed_if_it_were_let(tmp_path: Path) -> None:
    """Or the test above could pass for another reason."""
    secret(tmp_path)
    path = tmp_path / "x.mp4"
    path.write_text(hostile("concat", "secret.wav"))
    with av.open(str(path)) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == RATE // 2


def test_ffmpeg_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = faststart(tmp_path)
    content = path.read_bytes()
    (tmp_path / "cut.m4a").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.m4a").write_text("hello" * 100)
    load_audio(path)
    for name in ("cut.m4a", "text.m4a"):
        problem_of(tmp_path / name)
    assert capfd.readouterr() == ("", "")
