"""Sound that is still coming, through a pipe: decoded as it comes, waited for, forgotten once it is used."""

import threading
from collections.abc import Callable
from fractions import Fraction
from io import RawIOBase
from types import TracebackType
from typing import Self

import av
import numpy as np
import soxr
import torch
from torch import Tensor
from torch.nn import functional

from .audio import SAMPLE_RATE, check_audio, exact_fps, samples_in_frames
from .formats import AAC
from .pipe import Pipe, sound_in
from .sound_track import Planes

READ_AHEAD = 30  # seconds that are read before they are asked for: what comes faster has to wait
KEPT = 30  # seconds that may be heard again
PATIENCE = 0.1  # seconds of waiting, after which it is asked whether to stop
TAKES = "pipe WAV into it, or what else can be read without going back: MP3, Ogg, WebM, MPEG-TS"


class LiveSound:
    """Sound from an open file, such as a pipe, which a thread of its own reads as it comes.

    There are two forms of it: 16 kHz in mono, which speech encoders hear, and `channels` at `sample_rate`,
    which the film holds. Frame k covers the same samples as of an `Audio`. `stopped` is asked while sound is
    waited for; once it answers True, the sound has ended.

    Raises ValueError when no sound comes, here, and for samples that are not finite, from whatever waits.
    """

    def __init__(self, file: RawIOBase, name: str, stopped: Callable[[], bool] = lambda: False) -> None:
        self._pipe, self._name, self.stopped = Pipe(file), name, stopped
        self._changed = threading.Condition()
        self._planes = Planes(AAC.rate)
        self._film, self._mono = _Tail(), _Tail()
        self._to_mono: soxr.ResampleStream | None = None
        self._wanted, self._ended = 0, False
        self._error: Exception | None = None
        threading.Thread(target=self._listen, daemon=True).start()
        self._wait(lambda: self._film.end > 0)
        if not self._film.end:
            raise ValueError(f"{name} ended before any sound came: {TAKES}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def sample_rate(self) -> int:
        return self._planes.rate

    @property
    def channels(self) -> int:
        return self._film.channels

    def frames(self, fps: float | Fraction) -> int | None:
        """How many hold one of its samples; None as long as it goes on."""
        with self._changed:
            last = (self._film.end - 1) * exact_fps(fps) // self.sample_rate
            return 1 + int(last) if self._ended else None

    def wait_for(self, frame: int, fps: float | Fraction) -> bool:
        """Until it is known whether the sound has that frame."""
        self._wait_for_samples(samples_in_frames(frame, SAMPLE_RATE, fps) + 1)
        frames = self.frames(fps)
        return frames is None or frame < frames

    def wait_until(self, frame: int, fps: float | Fraction) -> int:
        """Until all sound before that frame has come. Returns its number, or how many there are if fewer."""
        self._wait_for_samples(samples_in_frames(frame, SAMPLE_RATE, fps))
        frames = self.frames(fps)
        return frame if frames is None else min(frame, frames)

    def heard(self, first: int, last: int, fps: float | Fraction) -> Tensor:
        """(T,) at 16 kHz, of the frames first..last-1 as far as they have come."""
        start, stop = (samples_in_frames(frame, SAMPLE_RATE, fps) for frame in (first, last))
        with self._changed:
            self._mono.forget(stop - KEPT * SAMPLE_RATE)
            return self._mono.between(start, stop)[0]

    def between(self, first: int, last: int | None) -> Tensor:
        """Samples (channels, last - first) as the film holds them, silent beyond the end, or all that have
        come. They are asked for in their order: those before are forgotten."""
        with self._changed:
            self._film.forget(first)
            stop = self._film.end if last is None else last
            found = self._film.between(first, stop)
        return functional.pad(found, (0, stop - first - found.shape[1]))

    def _wait_for_samples(self, count: int) -> None:
        with self._changed:
            self._wanted = max(self._wanted, count)
            self._changed.notify_all()
        self._wait(lambda: self._mono.end >= count)

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self._changed:
            while not (ready() or self._ended):
                self._changed.wait(PATIENCE)
                if self.stopped():
                    self._end()
        if self._error is not None:
            raise self._error

    def _listen(self) -> None:
        try:
            for gap, frame in sound_in(self._pipe, self._name):
                if gap:
                    self._add(np.zeros((1, round(gap * self.sample_rate)), np.float32))
                for planes in self._planes.of(frame):
                    self._add(planes)
                if self._ended:
                    return
            for planes in self._planes.rest():
                self._add(planes)
        except av.FFmpegError as error:
            if self._pipe.used:
                self._error = ValueError(f"{self._name} cannot be read as sound, {error.strerror}: {TAKES}")
        except (ValueError, OSError, MemoryError) as error:  # else the film would end as if the sound had
            self._error = error
        finally:
            self._end()

    def _add(self, planes: np.ndarray) -> None:
        """One piece, once there is room for it."""
        check_audio(torch.from_numpy(planes))
        with self._changed:
            if self._to_mono is None:
                self._to_mono = soxr.ResampleStream(self.sample_rate, SAMPLE_RATE, 1, "float32", "HQ")
                self._film.channels = len(planes)
            while self._mono.end > self._wanted + READ_AHEAD * SAMPLE_RATE and not self._ended:
                self._changed.wait()
            if self._ended:
                return
            self._film.add(planes)
            self._mono.add(self._to_mono.resample_chunk(planes.mean(axis=0))[None])
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            if self._to_mono is not None and not self._ended:
                self._mono.add(self._to_mono.resample_chunk(np.zeros(0, np.float32), last=True)[None])
            self._ended = True
            self._changed.notify_all()


class _Tail:
    """Interleaved float32 samples, of which the first ones are forgotten."""

    def __init__(self) -> None:
        self.channels, self._first = 1, 0
        self._samples = bytearray()

    @property
    def end(self) -> int:
        return self._first + len(self._samples) // (4 * self.channels)

    def add(self, planes: np.ndarray) -> None:
        """(channels, T), or as many as there are in another number of channels."""
        if len(planes) > self.channels:
            planes = planes.mean(axis=0, keepdims=True)
        self._samples += np.broadcast_to(planes, (self.channels, planes.shape[1])).T.tobytes()

    def forget(self, before: int) -> None:
        count = min(max(0, before - self._first), self.end - self._first)
        del self._samples[: 4 * self.channels * count]
        self._first += count

    def between(self, first: int, last: int) -> Tensor:
        """(channels, T) of the samples first..last-1, a copy, as far as they have come."""
        start, stop = (4 * self.channels * max(0, sample - self._first) for sample in (first, last))
        found = np.frombuffer(self._samples[start:stop], np.float32)
        return torch.from_numpy(found.reshape(-1, self.channels).T)
