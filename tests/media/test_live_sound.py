"""Sound that is still coming: the same as the file's, waited for, and held no longer than it is needed."""

import errno
import io
import threading
import time

import av
import numpy as np
import pytest
import soundfile
import torch

from emo_modules.media.audio import SAMPLE_RATE, load_audio
from emo_modules.media.live_sound import READ_AHEAD, LiveSound

from ..speakers import deadline

FPS = 25


class Source(io.RawIOBase):
    """Bytes in pieces of odd sizes, as pipes give them."""

    def __init__(self, content, repeated=b""):
        self.content, self.repeated, self.given = content, repeated, 0

    def read(self, size=-1):
        if not self.content:
            self.content = self.repeated
        piece, self.content = self.content[: min(size, 777)], self.content[min(size, 777) :]
        self.given += len(piece)
        return piece


def wav(waveform, rate, subtype="PCM_16", kind="WAV"):
    content = io.BytesIO()
    soundfile.write(content, waveform.T.numpy(), rate, subtype, format=kind)
    return content.getvalue()


def encoded(kind, codec, rate, waveform, begin=0):
    content = io.BytesIO()
    with av.open(content, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform.numpy(), "fltp", "mono")
        frame.sample_rate, frame.pts = rate, begin * rate
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return content.getvalue()


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "kind"),
    [
        (16000, 1, "PCM_16", "WAV"),
        (44100, 2, "PCM_24", "WAV"),
        (48000, 1, "FLOAT", "WAVEX"),
        (8000, 1, "ULAW", "WAV"),
        (48000, 6, "PCM_16", "WAVEX"),
    ],
)
def test_wav_is_the_sound_of_the_file(tones, tmp_path, rate, channels, subtype, kind):
    content = wav(tones(1.01, rate, channels), rate, subtype, kind)
    (tmp_path / "file.wav").write_bytes(content)
    expected = load_audio(tmp_path / "file.wav")
    with LiveSound(Source(content + b"LIST\x04\0\0\0cut!"), "a pipe", deadline()) as sound:
        assert not sound.wait_for(26, FPS) and sound.wait_for(25, FPS)
        assert sound.frames(FPS) == expected.frame_count(FPS) == 26
        assert (sound.sample_rate, sound.channels) == (rate, min(channels, 2))
        assert (sound.heard(0, 26, FPS) - expected.mono).abs().max() < 1e-4
        film = sound.between(0, 26 * rate // FPS)
    samples = expected.waveform.shape[1]
    assert (film[:, :samples] - expected.waveform).abs().max() < 1e-6
    assert (film[:, samples:] == 0).all()


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus"), ("webm", "libopus"), ("mpegts", "aac")]
)
def test_other_formats_are_read_without_going_back(tones, kind, codec):
    content = encoded(kind, codec, 48000, tones(2, 48000))
    with LiveSound(Source(content), "a pipe", deadline()) as sound:
        assert sound.wait_for(40, FPS)
        heard = sound.heard(0, 40, FPS).numpy()
    wanted = tones(2, SAMPLE_RATE)[0].numpy()
    lags = [
        np.corrcoef(heard[4000 + lag : 20000 + lag], wanted[4000:20000])[0, 1] for lag in range(0, 1200, 4)
    ]
    assert max(lags) > 0.95


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a pipe ended before any sound came: pipe WAV into it"),
        (wav(torch.zeros(1, 1), 16000)[:44], r"a pipe ended before any sound came"),
        (b"no sound at all" * 500, r"a pipe cannot be read as sound, .*: pipe WAV into it"),
        (wav(torch.full((1, 4000), torch.nan), 16000, "FLOAT"), r"audio has \d+ NaN or infinite samples"),
    ],
)
def test_what_is_no_sound_is_said(content, message):
    with pytest.raises(ValueError, match=message):
        LiveSound(Source(content), "a pipe", deadline())


def test_a_film_without_sound_is_named_with_what_it_holds():
    content = io.BytesIO()
    with av.open(content, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="a pipe has no audio stream, found: video"):
        LiveSound(Source(content.getvalue()), "a pipe", deadline())


def test_an_hour_is_not_held(tones):
    """What comes faster than it is used waits in the pipe; what was used is forgotten."""
    header, body = (wav(tones(1, 16000), 16000)[part] for part in (slice(44), slice(44, None)))
    source = Source(header[:40] + b"\xff" * 4, body)
    with LiveSound(source, "a pipe", deadline()) as sound:
        for second in range(0, 200, 20):
            assert sound.wait_for(second * FPS, FPS)
            assert len(sound.heard(max(0, second - 1) * FPS, second * FPS, FPS)) == SAMPLE_RATE * min(
                1, second
            )
            sound.between(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE)
            assert source.given < 2 * SAMPLE_RATE * (second + READ_AHEAD + 2)
            held = len(sound._film._samples) + len(sound._mono._samples)
            assert held < 4 * SAMPLE_RATE * 2 * (READ_AHEAD + 32)


def test_what_happens_to_the_file_is_no_end_of_the_sound():
    class Lost(Source):
        def read(self, size=-1):
            if self.given > 20000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    source = Lost(wav(torch.zeros(1, 16000), 16000))
    with LiveSound(source, "a pipe", deadline()) as sound, pytest.raises(OSError, match="Input/output"):
        sound.wait_for(24, FPS)


def test_a_clock_that_is_set_is_no_pause(tones):
    """A broadcast begins again with its clock 20 hours further."""
    first, second = (encoded("mpegts", "aac", 48000, tones(2, 48000), begin) for begin in (0, 72000))
    with LiveSound(Source(first + second), "a pipe", deadline()) as sound:
        assert sound.wait_for(85, FPS)
        assert not sound.wait_for(130, FPS)


def test_it_ends_where_it_is_stopped():
    stopped, all_read = [], threading.Event()

    class Open(Source):
        def read(self, size=-1):
            piece = super().read(size)
            while not piece and not stopped:
                all_read.set()
                time.sleep(0.01)
            return piece

    content = wav(torch.zeros(1, 4000), 16000)
    source = Open(content[:40] + b"\xff" * 4 + content[44:])
    with LiveSound(source, "a pipe", lambda: bool(stopped)) as sound:
        assert all_read.wait(20)
        assert sound.frames(FPS) is None
        stopped.append(True)
        assert sound.wait_until(30, FPS) == sound.frames(FPS) == 7
