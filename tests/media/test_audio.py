import logging
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from emo_modules.media.audio import (
    Audio,
    exact_fps,
    load_audio,
    samples_in_frames,
)


def write_wav(path, samples, sample_rate):
    """samples (channels, T) in -1..1 as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(samples.T * 32767).astype("<i2").tobytes())


def tone(sample_rate, seconds, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(sample_rate * seconds)) / sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
def test_wav_of_any_rate_is_read_exactly_and_resampled_to_the_same_tone(tmp_path, sample_rate):
    samples = tone(sample_rate, 0.5)
    write_wav(tmp_path / "a.wav", samples[None], sample_rate)
    audio = load_audio(tmp_path / "a.wav")
    waveform, rate = audio.waveform, audio.sample_rate
    assert (waveform.shape, waveform.dtype, rate) == ((1, *samples.shape), torch.float32, sample_rate)
    assert np.abs(waveform[0].numpy() - samples).max() < 1e-4

    resampled = audio.mono
    assert resampled.shape == (8000,)
    middle = slice(500, -500)  # the resampler rings at the cut ends
    assert np.abs(resampled.numpy()[middle] - tone(16000, 0.5)[middle]).max() < 2e-3


def test_stereo_is_averaged_and_its_channels_can_be_kept(tmp_path):
    left, right = tone(44100, 0.1), -0.5 * tone(44100, 0.1)
    write_wav(tmp_path / "s.wav", np.stack([left, right]), 44100)
    audio = load_audio(tmp_path / "s.wav")
    assert audio.waveform.shape == (2, 4410) and audio.sample_rate == 44100
    assert np.abs(audio.waveform.mean(0).numpy() - (left + right) / 2).max() < 1e-4
    assert torch.equal(audio.mono, Audio(audio.waveform.mean(0), 44100).mono)


def test_files_without_sound_are_named_with_what_they_hold(tmp_path):
    picture = tmp_path / "face.png"
    Image.new("RGB", (8, 8)).save(picture)
    with pytest.raises(ValueError, match=r"face\.png has no audio stream, found: video"):
        load_audio(picture)
    text = tmp_path / "notes.wav"
    text.write_text("no media here")
    with pytest.raises(ValueError, match=r"notes\.wav \(13 bytes\) cannot be read as audio"):
        load_audio(text)
    nothing = tmp_path / "empty.wav"
    write_wav(nothing, np.zeros((1, 0)), 16000)
    with pytest.raises(ValueError, match=r"empty\.wav"):
        load_audio(nothing)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_audio(tmp_path / "absent.wav")


def test_empty_and_broken_samples_are_refused():
    for shape in ((0,), (2, 0)):
        with pytest.raises(ValueError, match="audio is empty"):
            Audio(torch.zeros(shape))
    broken = torch.zeros(100)
    broken[3], broken[7] = torch.nan, torch.inf
    with pytest.raises(ValueError, match=r"2 NaN or infinite samples of 100.*nan_to_num"):
        Audio(broken)
    with pytest.raises(ValueError, match="sample rate must be at least 1 Hz, got 0"):
        Audio(torch.zeros(100), 0)


def test_silence_and_audio_shorter_than_a_frame_work():
    assert torch.equal(Audio(torch.zeros(2, 4800), 48000).mono, torch.zeros(1600))
    for sample_rate in (8000, 44100, 48000):
        short = Audio(torch.ones(1), sample_rate)
        assert len(short.mono) == -(-16000 // sample_rate)
        assert short.frame_count(25) == Audio(short.mono).frame_count(25) == 1
        assert Audio(short.mono).fit_to_frames(1, 25).waveform.shape == (640,)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 22050, 44100, 48000])
def test_resampled_length_is_exact_so_no_frame_is_added(sample_rate):
    for frames in (1, 7, 33, 250):
        samples = samples_in_frames(frames, sample_rate, 25)
        assert len(Audio(torch.zeros(samples), sample_rate).mono) == 640 * frames


def counted(samples, sample_rate, fps):
    return Audio(torch.zeros(1).expand(samples), sample_rate).frame_count(fps)


def test_frame_count_is_the_ceiling():
    assert [counted(n, 16000, 25) for n in (1, 639, 640, 641, 1280, 1281)] == [1, 1, 1, 2, 2, 3]
    assert counted(44100, 44100, 24) == 24


def test_clock_does_not_drift_over_ten_hours():
    ntsc = 30000 / 1001
    frames = 1_078_921
    assert samples_in_frames(frames, 48000, ntsc) == round(frames * Fraction(48000 * 1001, 30000))
    few = samples_in_frames(frames, 50, ntsc)  # `Audio` looks at each
    assert counted(few, 50, ntsc) == frames
    assert exact_fps(ntsc) == Fraction(30000, 1001)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 30000 / 1001, 12.5])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100])
def test_fitted_audio_counts_its_own_frames_again(fps, sample_rate):
    for frames in range(1, 40):
        fitted = Audio(torch.zeros(1), sample_rate).fit_to_frames(frames, fps)
        assert len(fitted.waveform) == round(frames * sample_rate / exact_fps(fps))
        assert fitted.frame_count(fps) == frames


def test_fitting_cuts_or_pads_the_last_axis():
    stereo = torch.arange(2000.0).reshape(2, 1000)
    assert torch.equal(Audio(stereo).fit_to_frames(1, 25).waveform, stereo[:, :640])
    padded = Audio(stereo).fit_to_frames(2, 25).waveform
    assert torch.equal(padded[:, :1000], stereo) and padded.shape == (2, 1280)
    assert padded[:, 1000:].abs().sum() == 0


@pytest.mark.parametrize("fps", [0, -25, float("nan")])
def test_impossible_frame_rates_are_refused(fps):
    with pytest.raises(ValueError):
        counted(16000, 16000, fps)


def test_reading_says_nothing_when_nothing_is_wrong(tmp_path, caplog):
    write_wav(tmp_path / "a.wav", tone(16000, 0.1)[None], 16000)
    with caplog.at_level(logging.WARNING):
        load_audio(tmp_path / "a.wav")
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.ogg", "libopus"), ("a.flac", "flac")]
)
def test_compressed_stereo_is_read(tmp_path, name, codec):
    samples = np.stack([tone(48000, 0.5)] * 2)
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="stereo")
        pcm = np.round(samples.T * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    audio = load_audio(tmp_path / name)
    waveform = audio.waveform.mean(0)
    assert audio.sample_rate == 48000 and abs(len(waveform) - 24000) <= 1152
    middle = slice(2000, 20000)
    assert np.corrcoef(waveform.numpy()[middle], samples[0, middle])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        (23.976, (24000, 1001)), (23.98, (24000, 1001)), (24000 / 1001, (24000, 1001)),
        (29.97, (30000, 1001)), (Fraction(2997, 100), (30000, 1001)), (47.952, (48000, 1001)),
        (59.94, (60000, 1001)), (119.88, (120000, 1001)),
        (24, (24, 1)), (25.0, (25, 1)), (29.96, (749, 25)), (12.5, (25, 2)),
    ],
)  # fmt: skip
def test_rates_of_television_are_exact_however_they_are_written(written, exact):
    assert exact_fps(written) == Fraction(*exact)
    assert exact_fps(exact_fps(written)) == exact_fps(written)
