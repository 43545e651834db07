"""What the stages of preparation pass on: sources, clips cut from them, and what was dropped and why."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..perception.analyzers import FaceTrack

if TYPE_CHECKING:
    from ..perception.syncnet import Sync

FPS = 25
RATE = 16000
SAMPLES = RATE // FPS  # of sound in one frame


@dataclass(frozen=True)
class PrepareConfig:
    """How footage becomes clips; docs/footage.md says where each figure comes from.

    Seconds, pixels of the source (`smallest_face`, the face's height), frames (`max_offset`, of sound against
    picture, with |offset| below), bytes (`shard_size`). `syncnet` None: sync is not looked at.
    """

    analyzer: str = "cascade"
    syncnet: str | None = None
    sound: bool = True  # False: pictures for stage 1, whatever the files hold
    shots: str = "adaptive"  # or "transnet"
    size: int = 512
    min_seconds: float = 3.0
    max_seconds: float = 12.0
    smallest_face: float = 128.0
    crop_factor: float = 1.6
    min_confidence: float | None = None  # None: the bound that comes with the SyncNet
    max_offset: int = 6
    min_sharpness: float = 12.0
    test_share: float = 0.1
    shard_size: int = 400_000_000
    keyframes: int = 12
    crf: int = 18

    def __post_init__(self) -> None:
        if self.size % 2 or self.size < 16:
            raise ValueError(f"the size must be even and at least 16, got {self.size}")
        if not 0 < self.min_seconds <= self.max_seconds / 2:
            raise ValueError(
                f"clips of {self.min_seconds} to {self.max_seconds} s: the longest must be at least twice "
                "the shortest, so that any longer shot can be cut without a rest"
            )
        if not 0 <= self.test_share <= 1:
            raise ValueError(f"the test share must be in 0..1, got {self.test_share}")


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

    def piece(self, first: int, stop: int) -> np.ndarray:
        """float32 samples of the frames first..stop, zeros where the source has none."""
        wanted = np.zeros((stop - first) * SAMPLES, np.float32)
        low, high = max(first * SAMPLES, 0), min(stop * SAMPLES, len(self.samples))
        if low < high:
            start = low - first * SAMPLES
            wanted[start : start + high - low] = self.samples[low:high] / np.float32(32768)
        return wanted


@dataclass(frozen=True)
class Drop:
    """A span of footage that gives no clip; the reason is "cause" or "cause: figures"."""

    source: str
    start: float
    stop: float
    stage: str
    reason: str

    @property
    def cause(self) -> str:
        return self.reason.split(":")[0]


@dataclass(frozen=True)
class Clip:
    """Frames first..stop of a source at 25 fps, and what the stages so far have found there.

    `track` has one row per frame, in pixels of the upright source; from the picture stage on `frames`
    (T, size, size, 3) uint8 and `waveform` (T * 640,) float32 are the clip's own, and the track's pixels are
    those of `frames`.
    """

    source: Source
    first: int = 0
    stop: int = 0
    media: Media | None = None
    sound: Sound | None = None
    track: FaceTrack | None = None
    crop: tuple[int, int, int, int] | None = None  # x0, y0, x1, y1 in the upright source
    frames: np.ndarray | None = None
    waveform: np.ndarray | None = None
    sync: "Sync | None" = None
    quality: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def start_seconds(self) -> float:
        return self.first / FPS

    @property
    def stop_seconds(self) -> float:
        return self.stop / FPS

    def cut(self, first: int, stop: int) -> Self:
        """The part between two frames of the source; whatever has a row per frame is cut too."""
        a, b = first - self.first, stop - self.first
        waveform = None if self.waveform is None else self.waveform[a * SAMPLES : b * SAMPLES]
        return replace(
            self,
            first=first,
            stop=stop,
            track=None if self.track is None else cut_track(self.track, a, b),
            frames=None if self.frames is None else self.frames[a:b],
            waveform=waveform,
        )

    def drop(self, stage: str, reason: str) -> Drop:
        return Drop(self.source.name, self.start_seconds, self.stop_seconds, stage, reason)


Stage = Callable[[Clip], Iterable[Clip | Drop]]


def run_stages(clip: Clip, stages: Sequence[Stage]) -> Iterator[Clip | Drop]:
    """Every clip goes through all stages before the next one starts, so that few are held at a time."""
    if not stages:
        yield clip
        return
    for item in stages[0](clip):
        if isinstance(item, Drop):
            yield item
        else:
            yield from run_stages(item, stages[1:])


def cut_track(track: FaceTrack, start: int, stop: int) -> FaceTrack:
    return FaceTrack(**{name: row if row is None else row[start:stop] for name, row in _rows(track).items()})


def mapped_track(track: FaceTrack, shift: tuple[float, float], scale: tuple[float, float]) -> FaceTrack:
    """The track in other pixels: (x, y) becomes ((x - shift_x) * scale_x, (y - shift_y) * scale_y)."""
    boxes = (track.boxes - np.tile(shift, 2)) * np.tile(scale, 2)
    points = track.landmarks
    if points is not None:
        points = ((points - np.array(shift)) * np.array(scale)).astype(np.float32)
    return replace(track, boxes=boxes.astype(np.float32), landmarks=points)


def _rows(track: FaceTrack) -> dict[str, Any]:
    return {part.name: getattr(track, part.name) for part in fields(track)}
