"""The samples of a sound track, damaged or joined from unlike takes: what decodes is used, time is kept."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
import numpy as np
import torch
from torch import Tensor

from .downmix import to_stereo

SMALLEST_GAP = 0.1  # seconds; the time stamps of some recorders jitter by less
SMALLEST_LOSS = 0.002  # seconds, where a damaged packet explains the gap
LARGEST_STEP = 1.0  # second; a longer gap is a pause where the file lasts so long, else a clock that was set
COUNTED_TIME = {"mp3", "aac", "ac3", "eac3", "dts"}  # formats whose time is the number of packets so far
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")  # texts and cover pictures, where takes were joined


@dataclass
class Loss:
    """What could not be decoded: packets, seconds that are silent in their place, seconds that end early."""

    packets: int = 0
    silent: float = 0.0
    missing: float = 0.0
    reason: str | None = None

    def __str__(self) -> str:
        """A sentence for the user, empty when nothing was lost."""
        parts = []
        if self.packets:
            parts.append(f"{self.packets} packet{'s were' if self.packets > 1 else ' was'} damaged")
        if self.silent:
            parts.append(f"{self.silent * 1000:.0f} ms{'' if parts else ' between packets'} are silent")
        if self.missing:
            parts.append(f"the last {self.missing:.1f} s are missing")
        return ", ".join(parts)


def read_sound_track(
    container: av.container.InputContainer, stream: av.AudioStream
) -> tuple[Tensor, int, Loss]:
    """Waveform (1 or 2, T) float32 at the rate of the first frame, that rate, and what was lost.

    Surround is mixed as in `to_stereo`. Time before the first frame is left out; gaps in the time stamps are
    silent. T is 0 when nothing can be decoded.
    """
    loss, track = Loss(), _Track()
    begin: float | None = None
    end = 0.0
    for time, gap, frame in timed_sound(container, stream, loss):
        begin = time if begin is None else begin
        track.add_silence(gap)
        track.add(frame)
        end = time + frame.samples / frame.sample_rate
    if begin is not None:
        loss.missing = _missing(container, stream, end - begin)
    return track.waveform(), track.rate, loss


def timed_sound(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    loss: Loss,
    longest: float = math.inf,
) -> Iterator[tuple[float, float, av.AudioFrame]]:
    """The frames that decode, with the time of each and the silence before it, in seconds, `longest` at most;
    `loss` counts."""
    latest, end = _end(container), math.nan
    for time, frame, damaged in _timed_frames(container, stream, loss):
        gap = time - end  # nan before the first frame, which compares as no gap
        pause = max(LARGEST_STEP, min(longest, latest - end))
        silent = (SMALLEST_LOSS if damaged else SMALLEST_GAP) < gap < pause
        loss.silent += gap if silent else 0.0
        yield time, gap if silent else 0.0, frame
        end = time + frame.samples / frame.sample_rate


def _end(container: av.container.InputContainer) -> float:
    if not container.duration:
        return math.inf
    return ((container.start_time or 0) + container.duration) / av.time_base


def _missing(container: av.container.InputContainer, stream: av.AudioStream, seconds: float) -> float:
    """Seconds by which the sound is shorter than the file says; the guess for counted time says nothing."""
    if container.format.name in COUNTED_TIME or not stream.duration or not stream.time_base:
        return 0.0
    short = float(stream.duration * stream.time_base) - seconds
    return short if short > LARGEST_STEP else 0.0


def _timed_frames(
    container: av.container.InputContainer, stream: av.AudioStream, loss: Loss
) -> Iterator[tuple[float, av.AudioFrame, bool]]:
    """Frames, their times in seconds, and whether damage lies between each and the last."""
    clock, damaged, time = _Clock(container.format.name in COUNTED_TIME), False, 0.0
    for packet in _packets(container, stream, loss):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            loss.packets, loss.reason, damaged = loss.packets + 1, error.strerror, True
            clock.correct(packet)
            continue
        clock.count(packet)
        for frame in frames:
            if not frame.samples:
                continue
            time = time if frame.time is None else frame.time + clock.late
            yield time, frame, damaged
            time, damaged = time + frame.samples / frame.sample_rate, False


def _packets(
    container: av.container.InputContainer, stream: av.AudioStream, loss: Loss
) -> Iterator["av.Packet[av.AudioStream]"]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError as error:  # the rest of the file cannot be told apart into packets
        loss.packets, loss.reason = loss.packets + 1, error.strerror


@dataclass
class _Clock:
    """Where time is counted in packets, a damaged stretch counts as one: its size says how long it was."""

    counted: bool
    late: float = 0.0  # seconds to add to time stamps
    size: int = 0
    seconds: float = 0.0

    def count(self, packet: "av.Packet[av.AudioStream]") -> None:
        self.size += packet.size
        self.seconds += float((packet.duration or 0) * packet.time_base)

    def correct(self, damaged: "av.Packet[av.AudioStream]") -> None:
        if self.counted and self.seconds:
            tag = any(word in bytes(damaged) for word in TAGS)
            lasted = 0.0 if tag else damaged.size * self.seconds / self.size
            self.late += lasted - float((damaged.duration or 0) * damaged.time_base)


class Planes:
    """Frames of one or more takes as (1 or 2, T) float32 samples at one rate, that of the first frame unless
    `rate` says another for it."""

    def __init__(self, rate: Callable[[int], int] = int) -> None:
        self.rate = 0
        self._choose = rate
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    def of(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        """What is ready with this frame: a resampler holds some back."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or kind != self._kind:
            yield from self.rest()
            self.rate = self.rate or self._choose(frame.sample_rate)
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=self.rate)
            self._kind = kind
        frame.pts = None  # the resampler would fill gaps of its own
        yield from map(_one_or_two, self._resampler.resample(frame))

    def rest(self) -> Iterator[np.ndarray]:
        """What is held back, once no more of this kind follows."""
        if self._resampler:
            yield from map(_one_or_two, self._resampler.resample(None))


def _one_or_two(frame: av.AudioFrame) -> np.ndarray:
    planes = frame.to_ndarray()
    if len(planes) <= 2:
        return planes
    return to_stereo(torch.from_numpy(planes), [channel.name for channel in frame.layout.channels]).numpy()


class _Track:
    """Interleaved float32 samples of one rate and 1 or 2 channels, which grow in place."""

    def __init__(self) -> None:
        self._planes = Planes()
        self._channels = 1
        self._samples = bytearray()

    @property
    def rate(self) -> int:
        return self._planes.rate

    def add(self, frame: av.AudioFrame) -> None:
        for planes in self._planes.of(frame):
            self._append(planes)

    def _append(self, planes: np.ndarray) -> None:
        if len(planes) > self._channels:
            self._samples = bytearray(np.repeat(np.frombuffer(self._samples, np.float32), 2).tobytes())
            self._channels = len(planes)
        self._samples += np.broadcast_to(planes, (self._channels, planes.shape[1])).T.tobytes()

    def add_silence(self, seconds: float) -> None:
        self._samples += bytes(4 * self._channels * round(seconds * self.rate))

    def waveform(self) -> Tensor:
        """(channels, T), a view of the interleaved samples: an hour is held once."""
        for planes in self._planes.rest():
            self._append(planes)
        if not self._samples:
            return torch.zeros(1, 0)
        return torch.frombuffer(self._samples, dtype=torch.float32).view(-1, self._channels).T
