import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.activity import level_of_pcm, level_of_samples
from novadesk.audio.formats import WavWriter, check_wav, read_wav, to_mono, to_pcm, to_samples, write_wav
from novadesk.errors import KnownError, Reason


def make_wav(
    file: Path, *, rate_hz: int = 16_000, channels: int = 1, width: int = 2, data: bytes = b"\1\0" * 8
) -> Path:
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate_hz)
        wav.writeframes(data)
    return file


@given(st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2]))
def test_pcm_survives_the_way_to_samples_and_back(pcm: bytes) -> None:
    assert to_pcm(to_samples(pcm)) == pcm


def test_what_is_beyond_full_scale_is_clipped_and_does_not_wrap() -> None:
    samples = np.array([2.0, -2.0, 1.0], np.float32)
    assert np.frombuffer(to_pcm(samples), "<i2").tolist() == [32767, -32768, 32767]


def test_stereo_becomes_the_mean_of_both_sides() -> None:
    assert to_mono(np.array([[0.5, 0.0], [0.25, 0.75]], np.float32)).tolist() == [0.25, 0.5]


def test_level_is_the_root_mean_square() -> None:
    sine = np.sin(np.arange(1600) * 2 * np.pi / 16).astype(np.float32)
    assert level_of_samples(sine) == pytest.approx(0.7071, abs=1e-3)
    assert level_of_pcm(b"\0\0" * 100) == 0
    assert level_of_samples(np.zeros(0, np.float32)) == 0


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_reads_what_the_wave_module_wrote(tmp_path: Path, rate_hz: int, channels: int) -> None:
    values = np.arange(-300, 300, dtype="<i2")
    file = make_wav(tmp_path / "a.wav", rate_hz=rate_hz, channels=channels, data=np.repeat(values, channels).tobytes())
    recording = read_wav(file)
    assert recording.rate_hz == rate_hz
    assert to_pcm(recording.samples) == values.tobytes()
    assert check_wav(file) == pytest.approx(recording.duration_s)


def test_a_file_that_is_cut_short_counts_up_to_its_end(tmp_path: Path) -> None:
    file = make_wav(tmp_path / "a.wav", data=b"\1\0" * 100)
    file.write_bytes(file.read_bytes()[: 44 + 101])
    assert len(read_wav(file).samples) == 50


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match=r"no file .*nothing\.wav") as caught:
        read_wav(tmp_path / "nothing.wav")
    assert caught.value.reason is Reason.FILE_MISSING


def test_a_folder_is_not_readable(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="cannot be read") as caught:
        check_wav(tmp_path)
    assert caught.value.reason is Reason.FILE_MISSING


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a PCM WAV file"),
        (b"RIFF", "is not a PCM WAV file"),
        (b"ID3 this is no WAV at all" * 10, "is not a PCM WAV file"),
        (struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36, b"WAVE", b"fmt ", 16, 3, 1, 16000, 64000, 4, 32), "not a PCM WAV"),
    ],
)
def test_what_is_no_pcm_wav_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(content)
    with pytest.raises(KnownError, match=words) as caught:
        read_wav(file)
    assert caught.value.reason is Reason.BAD_WAV


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"width": 1}, "8-bit"),
        ({"width": 3, "data": b"\0\0\0"}, "24-bit"),
        ({"channels": 6, "data": b"\0" * 12}, "6 channels"),
        ({"rate_hz": 7_999}, "7999 Hz"),
        ({"rate_hz": 96_000}, "96000 Hz"),
        ({"data": b""}, "holds no sound"),
    ],
)
def test_each_unusable_format_is_named(tmp_path: Path, odd: dict[str, int], words: str) -> None:
    with pytest.raises(KnownError, match=words) as caught:
        read_wav(make_wav(tmp_path / "a.wav", **odd))  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_WAV


def test_a_recording_is_whole_after_each_close_and_goes_on_after_resume(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    writer = WavWriter(file, 24_000)
    writer.write(b"\1\0\2\0")
    writer.close()
    writer.close()
    assert to_pcm(read_wav(file).samples) == b"\1\0\2\0"
    writer.resume()
    writer.write(b"\3\0")
    writer.close()
    with wave.open(str(file)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (24_000, 1, 2)
        assert wav.readframes(9) == b"\1\0\2\0\3\0"


def test_an_unwritable_place_is_a_known_error(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="cannot be written") as caught:
        write_wav(tmp_path / "no" / "such" / "folder.wav", 24_000, np.zeros(3, np.float32))
    assert caught.value.reason is Reason.BAD_INPUT
