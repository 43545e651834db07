"""`evaluate videos`: every pair of generated and true video measured, streamed, one pair after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from ..perception.analyzers import FaceTrack
from ..perception.syncnet import Sync
from .feature_nets import picture_features, window_features
from .frechet import FrechetDistance
from .identity_similarity import embeddings, similarity
from .instruments import Instruments
from .lipsync import LipSync, lip_sync
from .motion import agreement, blinks, speed_curve, trembling
from .pairs import Pair, Video

T = TypeVar("T")
Log = Callable[[str], None]


@dataclass(frozen=True)
class MeasuredVideo:
    """One video of a pair; None is what was not measured."""

    frames: int
    faces: float  # share of frames that show a face
    size: tuple[int, int]  # as stored
    sync: Sync | None
    foreign_sync: Sync | None  # with another pair's sound
    identity: np.ndarray | None  # (N,) cosines with the true video's first face
    speed: np.ndarray | None  # (T,) degrees per second
    trembling: float | None  # degrees
    lips: float | None = None  # correlation of their distance with that of the true video's
    width: float | None = None  # of the mouth's width
    blinks: float | None = None  # per minute

    @property
    def confidence(self) -> float | None:
        """LSE-C."""
        return self.sync.confidence if self.sync else None

    @property
    def distance(self) -> float | None:
        """LSE-D."""
        return self.sync.distance if self.sync else None

    @property
    def offset(self) -> float | None:
        """Frames between lips and sound, whichever is late."""
        return abs(self.sync.offset) if self.sync else None

    @property
    def mean_identity(self) -> float | None:
        return None if self.identity is None else float(self.identity.mean())

    @property
    def mean_speed(self) -> float | None:
        return None if self.speed is None else float(np.nanmean(self.speed))


@dataclass(frozen=True)
class MeasuredPair:
    """One pair; `problems` says what could not be measured and why."""

    name: str
    generated: MeasuredVideo
    true: MeasuredVideo
    problems: tuple[str, ...]
    person: str | None = None

    @property
    def group(self) -> str:
        """Whose clip it is; a clip of nobody known stands alone."""
        return self.person or self.name

    @property
    def mean_speeds(self) -> tuple[float, float] | None:
        """Generated and true, None when one is unknown."""
        made, true = self.generated.mean_speed, self.true.mean_speed
        return None if made is None or true is None else (made, true)


@dataclass(frozen=True)
class Distances:
    """The Frechet distances, gathered over all pairs."""

    fid: FrechetDistance = field(default_factory=FrechetDistance)
    fvd: FrechetDistance = field(default_factory=FrechetDistance)
    efid: FrechetDistance = field(default_factory=FrechetDistance)
    expressions: FrechetDistance = field(default_factory=FrechetDistance)  # as the analyser knows them

    def add(self, tools: Instruments, video: Video, track: FaceTrack, real: bool) -> None:
        if tools.inception:
            none = torch.zeros(0, tools.inception.features)
            self.fid.update(torch.cat([none, *picture_features(tools.inception, video.frames())]), real)
        if tools.i3d:
            none = torch.zeros(0, tools.i3d.features)
            self.fvd.update(torch.cat([none, *window_features(tools.i3d, video.frames())]), real)
        if tools.deep3d:
            self.efid.update(torch.from_numpy(tools.deep3d.read(video, track)), real)
        if tools.expressions:
            self.expressions.update(torch.from_numpy(tools.expressions.read(video, track)), real)


def measure_pairs(
    pairs: Sequence[Pair], tools: Instruments, log: Log
) -> tuple[list[MeasuredPair], Distances]:
    """Raises ValueError for a file that cannot be read as video."""
    measured, distances = [], Distances()
    for k, pair in enumerate(pairs):
        other = pairs[(k + 1) % len(pairs)] if len(pairs) > 1 else None
        measured.append(PairMeter(pair, other, tools).measure(distances))
        log(f"{k + 1}/{len(pairs)} {_line(measured[-1])}")
    return measured, distances


@dataclass(frozen=True)
class PairMeter:
    """Measures one pair; `other` lends its sound for the control of the lip sync."""

    pair: Pair
    other: Pair | None
    tools: Instruments
    problems: list[str] = field(default_factory=list)

    def measure(self, distances: Distances) -> MeasuredPair:
        generated, true = self.pair.generated, self.pair.true
        made, recorded = (self.tools.analyzer.analyze(video.frames()) for video in (generated, true))
        distances.add(self.tools, generated, made, real=False)
        distances.add(self.tools, true, recorded, real=True)
        vectors = self._vectors("true", true, recorded)
        reference = None if vectors is None else vectors[0]
        generated_vectors = self._vectors("generated", generated, made)
        generated_video = self._video("generated", generated, made, generated_vectors, reference)
        lips, width = _compare_mouths(made, recorded)
        return MeasuredPair(
            self.pair.name,
            replace(generated_video, lips=lips, width=width),
            self._video("true", true, recorded, vectors, reference),
            tuple(self.problems),
            self.pair.person,
        )

    def _video(
        self,
        name: str,
        video: Video,
        track: FaceTrack,
        vectors: np.ndarray | None,
        reference: np.ndarray | None,
    ) -> MeasuredVideo:
        sync = self._sync(name, video, track)
        speed = self._speed(name, track)
        return MeasuredVideo(
            frames=len(track.counts),
            faces=float((track.counts > 0).mean()),
            size=video.stored_size,
            sync=sync.own if sync else None,
            foreign_sync=sync.foreign if sync else None,
            identity=None if vectors is None or reference is None else similarity(vectors, reference),
            speed=speed,
            trembling=None if speed is None else trembling(track.rotations),
            blinks=None if track.openings is None else blinks(track.openings[:, 2:]),
        )

    def _sync(self, name: str, video: Video, track: FaceTrack) -> LipSync | None:
        net = self.tools.syncnet
        if net is None:
            return None
        # A silent generated video is meant to be heard with the true one's sound.
        sound = video if video.has_sound else self.pair.true
        foreign = self.other.true.waveform() if self.other and self.other.true.has_sound else None
        return self._try(
            f"lip sync of the {name} video",
            lambda: lip_sync(net, video, track, sound.waveform(), foreign),
        )

    def _vectors(self, name: str, video: Video, track: FaceTrack) -> np.ndarray | None:
        embedder = self.tools.identity
        if embedder is None:
            return None
        return self._try(f"identity of the {name} video", lambda: embeddings(embedder, video, track))

    def _speed(self, name: str, track: FaceTrack) -> np.ndarray | None:
        return self._try(f"head speed of the {name} video", lambda: speed_curve(track.rotations))

    def _try(self, what: str, measure: Callable[[], T]) -> T | None:
        """The value, or None with a note where there is none: one bad video does not stop the others."""
        try:
            return measure()
        except ValueError as error:
            self.problems.append(f"{what}: {error}")
            return None


def _compare_mouths(made: FaceTrack, recorded: FaceTrack) -> tuple[float | None, float | None]:
    """How the mouth's opening and its width follow the true video's."""
    if made.openings is None or recorded.openings is None:
        return None, None
    opening, width = zip(made.openings.T[:2], recorded.openings.T[:2], strict=True)
    return agreement(*opening), agreement(*width)


def _line(pair: MeasuredPair) -> str:
    made = pair.generated
    parts = [f"{pair.name}: {made.frames} frames"]
    if made.sync:
        parts.append(f"LSE-C {made.sync.confidence:.2f} LSE-D {made.sync.distance:.2f}")
    if made.identity is not None:
        parts.append(f"identity {made.identity.mean():.2f}")
    if made.speed is not None:
        parts.append(f"{np.nanmean(made.speed):.1f} degrees/s")
    return ", ".join([*parts, *pair.problems])
