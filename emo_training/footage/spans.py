"""What the stages of preparation pass on: spans of a source, what was found there, and what was dropped."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from ..perception.face_track import FaceTrack
from ..perception.rates import FPS, SAMPLES

if TYPE_CHECKING:
    from ..perception.syncnet import Sync

Square = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels of the upright source


@dataclass(frozen=True)
class Source:
    """One file of the footage and what its owner says about it."""

    path: Path
    name: str  # path below the footage folder, with "/"
    key: str  # name in letters, digits, _ and - only
    identity: str
    licence: str = ""
    consent: str = ""
    sound: bool = True


@dataclass(frozen=True)
class Media:
    """What a file holds: an upright picture with square pixels, and perhaps sound."""

    width: int
    height: int
    origin: Fraction  # seconds, the first picture's time stamp
    seconds: float  # as the file declares, 0 when it does not
    sound: bool


@dataclass(frozen=True)
class Sound:
    """16 kHz mono of a whole source, (S,) int16, sample 0 at the first picture; known from begin to end."""

    samples: np.ndarray
    begin: int
    end: int

    def waveform(self, first: int, stop: int) -> np.ndarray:
        """float32 samples of the frames first..stop, zeros where the source has none."""
        wanted = np.zeros((stop - first) * SAMPLES, np.float32)
        low, high = max(first * SAMPLES, 0), min(stop * SAMPLES, len(self.samples))
        if low < high:
            start = low - first * SAMPLES
            wanted[start : start + high - low] = self.samples[low:high] / np.float32(32768)
        return wanted

    def frames(self) -> tuple[int, int]:
        """The first frame that has sound, and the one after the last; that one's sound may end early."""
        return -(-self.begin // SAMPLES), -(-self.end // SAMPLES)


@dataclass(frozen=True)
class Drop:
    """A span of footage that gives no sample; the reason is "cause" or "cause: figures"."""

    source: str
    start: float
    stop: float
    stage: str
    reason: str

    @property
    def cause(self) -> str:
        return self.reason.split(":")[0]


@dataclass(frozen=True)
class Span:
    """Frames first..stop of a source at 25 fps."""

    source: Source
    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def start_seconds(self) -> float:
        return self.first / FPS

    @property
    def stop_seconds(self) -> float:
        return self.stop / FPS

    def drop(self, stage: str, reason: str) -> Drop:
        return Drop(self.source.name, self.start_seconds, self.stop_seconds, stage, reason)


@dataclass(frozen=True)
class Shot(Span):
    """A span without cut. `track` has one row per frame, in pixels of the upright source; `sound` is that of
    the whole source, None when no sound is wanted."""

    media: Media
    sound: Sound | None
    track: FaceTrack

    def cut(self, first: int, stop: int) -> Self:
        """The part between two frames of the source; whatever has a row per frame is cut too."""
        track = self.track.cut(first - self.first, stop - self.first)
        return replace(self, first=first, stop=stop, track=track)


@dataclass(frozen=True)
class CroppedShot(Shot):
    """A shot as it will be stored: `frames` (T, size, size, 3) uint8, whose pixels are the track's, and
    `waveform` (T * 640,) float32, None without sound."""

    crop: Square
    frames: np.ndarray
    waveform: np.ndarray | None
    quality: dict[str, float] = field(default_factory=dict)
    sync: "Sync | None" = None

    def cut(self, first: int, stop: int) -> Self:
        a, b = first - self.first, stop - self.first
        waveform = None if self.waveform is None else self.waveform[a * SAMPLES : b * SAMPLES]
        return replace(super().cut(first, stop), frames=self.frames[a:b], waveform=waveform)


AnyShot = TypeVar("AnyShot", bound=Shot)
Stage = Callable[[AnyShot], Iterable[AnyShot | Drop]]


def run_stages(shot: AnyShot, stages: Sequence[Stage[AnyShot]]) -> Iterator[AnyShot | Drop]:
    """Every shot goes through all stages before the next one starts, so that few are held at a time."""
    if not stages:
        yield shot
        return
    for item in stages[0](shot):
        if isinstance(item, Drop):
            yield item
        else:
            yield from run_stages(item, stages[1:])
