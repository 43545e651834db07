"""Audio files, the 16 kHz mono signal the encoder hears, and the clock that ties samples to frames."""

import logging
import shlex
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Self

import av
import soxr
import torch
from torch import Tensor
from torch.nn import functional

from .downmix import to_mono
from .files import open_input
from .sound_track import read_sound_track

SAMPLE_RATE = 16000
PIECE = 2**20  # samples
NTSC = Fraction(1000, 1001)
NTSC_RATES = (24, 30, 48, 60, 120)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audio:
    """Sound that can be heard: at least one sample, all of them finite. Checked when it is made.

    waveform (T,) or (channels, T) float32 on the CPU. Raises ValueError for empty audio, NaN or infinite
    samples, or a rate below 1.
    """

    waveform: Tensor
    sample_rate: int = SAMPLE_RATE

    def __post_init__(self) -> None:
        check_audio(self.waveform)
        if self.sample_rate < 1:
            raise ValueError(f"sample rate must be at least 1 Hz, got {self.sample_rate}")

    @property
    def channels(self) -> int:
        return 1 if self.waveform.ndim == 1 else len(self.waveform)

    def between(self, first: int, last: int | None) -> Tensor:
        """(channels, T) of the samples first..last-1, or of all from the first one on."""
        return self.waveform.view(-1, self.waveform.shape[-1])[:, first:last]

    @cached_property
    def mono(self) -> Tensor:
        """As speech encoders hear it: (T',) at 16 kHz, mixed as in `to_mono`, T' = ceil(T * 16000 / rate)."""
        mono = to_mono(self.waveform)
        # soxr rounds the length: 441 samples at 44.1 kHz may give 161 instead of 160, and the extra sample
        # would count as an extra frame.
        exact = -(-len(mono) * SAMPLE_RATE // self.sample_rate)
        return _fit(resample(mono, self.sample_rate, SAMPLE_RATE), exact)

    def frame_count(self, fps: float | Fraction) -> int:
        """Number of frames that hold at least one of the samples.

        Frame k covers samples [k*sr/fps, (k+1)*sr/fps). This is ceil(samples*fps/sr), except that a boundary
        between two whole samples opens no frame; so the count of `fit_to_frames(F, fps)` is F again.
        """
        return 1 + int((self.waveform.shape[-1] - 1) * exact_fps(fps) // self.sample_rate)

    def from_frame(self, first: int, fps: float | Fraction) -> Self:
        """Without the samples before that frame. Raises ValueError when none are left."""
        start = samples_in_frames(first, self.sample_rate, fps)
        if start >= self.waveform.shape[-1]:
            seconds = self.waveform.shape[-1] / self.sample_rate
            raise ValueError(f"the sound ends after {seconds:.2f} s, before the start at {first / fps:.2f} s")
        return replace(self, waveform=self.waveform[..., start:])

    def fit_to_frames(self, frames: int, fps: float | Fraction) -> Self:
        """Cut, or padded with zeros, to exactly the samples that `frames` frames last, at least one."""
        samples = max(1, samples_in_frames(frames, self.sample_rate, fps))
        return replace(self, waveform=_fit(self.waveform, samples))


def load_audio(path: str | Path) -> Audio:
    """The sound of any audio or video file. Raises as `decode_audio`, and as `Audio`."""
    return Audio(*decode_audio(path))


def decode_audio(path: str | Path) -> tuple[Tensor, int]:
    """Reads the sound that a player would choose: waveform (1 or 2, T) float32, sample rate.

    Surround is mixed down. Damaged packets and gaps become silence, which one warning counts. AAC comes with
    the encoder's padding, up to 1023 samples at the end. Raises FileNotFoundError, or ValueError that says
    what the file holds instead of audio.
    """
    path = Path(path)
    size = path.stat().st_size
    try:
        with open_input(path) as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, av.AudioStream):
                kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
                raise ValueError(f"{path} has no audio stream, found: {kinds}. Choose a file with sound.")
            waveform, sample_rate, loss = read_sound_track(container, stream)
    except av.FFmpegError as error:
        raise _unreadable(path, size, error.strerror) from error
    if waveform.numel() == 0 and loss.packets:
        raise _unreadable(path, size, loss.reason)
    if waveform.numel() == 0:
        raise ValueError(f"{path} has an audio stream without samples. Choose a file with sound.")
    if str(loss):
        _log.warning("%s: %s", path.name, loss)
    return waveform, sample_rate


def _unreadable(path: Path, size: int, reason: str | None) -> ValueError:
    if path.is_dir():
        return ValueError(f"{path} is a folder. Choose a file with sound.")
    converted = f"{path.stem}-converted.wav"
    return ValueError(
        f"{path} ({size} bytes) cannot be read as audio: {reason}. If it plays elsewhere, convert it: "
        f"ffmpeg -i {shlex.quote(path.name)} {shlex.quote(converted)}"
    )


def check_audio(waveform: Tensor) -> None:
    """Raises ValueError when waveform (..., T) is empty or holds NaN or infinite samples."""
    if waveform.numel() == 0:
        raise ValueError(f"audio is empty: shape {tuple(waveform.shape)}. Give it at least one sample.")
    pieces = waveform.split(PIECE, dim=-1)  # an hour of it is copied otherwise
    broken = waveform.numel() - sum(int(torch.isfinite(piece).sum()) for piece in pieces)
    if broken:
        raise ValueError(
            f"audio has {broken} NaN or infinite samples of {waveform.numel()}. "
            "Export it again, or replace them with torch.nan_to_num."
        )


def resample(waveform: Tensor, rate: int, new_rate: int) -> Tensor:
    """waveform (T,) or (channels, T) float32 at another rate; as it is when that is the same."""
    if rate == new_rate:
        return waveform
    return torch.from_numpy(soxr.resample(waveform.numpy().T, rate, new_rate, quality="HQ").T)


def exact_fps(fps: float | Fraction) -> Fraction:
    """The rational frame rate a float stands for: 29.97, 29.97002997 and 30000/1001 are all 30000/1001.

    Raises ValueError at 0 or below.
    """
    for whole in NTSC_RATES:
        if abs(Fraction(fps) - whole * NTSC) < 0.005:  # 23.98 is how most people write 24000/1001
            return whole * NTSC
    rate = Fraction(fps).limit_denominator(1001)
    if rate <= 0:
        raise ValueError(f"fps must be above 0, got {fps}")
    return rate


def samples_in_frames(frames: int, sample_rate: int, fps: float | Fraction) -> int:
    """round(frames * sample_rate / fps), exact over hours."""
    return round(frames * sample_rate / exact_fps(fps))


def _fit(waveform: Tensor, samples: int) -> Tensor:
    missing = samples - waveform.shape[-1]
    return functional.pad(waveform, (0, missing)) if missing > 0 else waveform[..., :samples]
