"""People's faces by the pack's own networks: boxes, landmarks, poses, mouths and lids, without a download."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from emo_modules.cues.detect import detect_people
from emo_modules.cues.face_reader import FaceReader, Reading, shared_reader
from emo_modules.cues.ibug import POINTS
from emo_modules.cues.pyramid import FoundFace
from emo_modules.cues.squares import Squares, around_five

from .face_track import FaceTrack

STRIDE = 5  # frames, 0.2 s
SAME_FACE = 0.3  # overlap (IoU) of the face that is followed with one that was found

Find = Callable[[np.ndarray], list[FoundFace]]


@dataclass(frozen=True)
class PeopleAnalyzer:
    """Looks for faces in every fifth frame and in the last, and reads the largest in every frame, where it
    was in the frame before.

    A frame between two looks has the larger count of the two, and a main face only if both saw one.
    """

    find: Find
    reader: FaceReader
    name: str = "faces"

    @classmethod
    def load(cls) -> "PeopleAnalyzer":
        return cls(detect_people, shared_reader())

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        readings: list[Reading | None] = []
        looks: dict[int, int] = {}
        frame = None
        for number, frame in enumerate(frames):
            last = readings[-1] if readings else None
            if number % STRIDE == 0 or last is None:
                found = self.find(frame)
                looks[number] = len(found)
                readings.append(self._read_found(frame, found, last))
            else:
                readings.append(self.reader.read(torch.from_numpy(frame), last.squares, looks=1))
        if frame is not None and len(readings) - 1 not in looks:
            looks[len(readings) - 1] = len(self.find(frame))
        return _track(readings, looks)

    def _read_found(self, frame: np.ndarray, found: list[FoundFace], last: Reading | None) -> Reading | None:
        """The largest face, from where it was before if that is the same face."""
        if not found:
            return None
        largest = max(found, key=lambda face: face.box.area)
        read = partial(self.reader.read, torch.from_numpy(frame))
        if last is not None and last.box.iou(largest.box) >= SAME_FACE:
            return read(last.squares, looks=1)
        return read(_square(largest))


def _square(face: FoundFace) -> Squares:
    return around_five(torch.from_numpy(face.points[None]).float())


def _track(readings: list[Reading | None], looks: dict[int, int]) -> FaceTrack:
    times, total = np.array(list(looks), int), len(readings)
    seen = np.array(list(looks.values()), np.int64)
    after = np.searchsorted(times, np.arange(total))
    before = np.searchsorted(times, np.arange(total), side="right") - 1
    counts = np.maximum(seen[before], seen[after]) if total else np.zeros(0, np.int64)
    main = [
        reading if reading is not None and seen[one] and seen[other] else None
        for reading, one, other in zip(readings, before, after, strict=True)
    ]
    rows = [_row(reading) for reading in main]
    boxes, rotations, openings, landmarks = (
        np.array([row[part] for row in rows], np.float32).reshape(total, *shape)
        for part, shape in enumerate(((4,), (3,), (4,), (POINTS, 2)))
    )
    return FaceTrack(counts, boxes, rotations, landmarks, openings=openings)


def _row(reading: Reading | None) -> tuple[np.ndarray, ...]:
    """Box (4,), pose (3,), openings (4,) and landmarks (68, 2); NaN without a face."""
    if reading is None:
        return tuple(np.full(shape, np.nan) for shape in ((4,), (3,), (4,), (POINTS, 2)))
    box = reading.box
    return (
        np.array([box.x0, box.y0, box.x1, box.y1]),
        np.array([reading.yaw, reading.pitch, reading.roll]),
        np.array([reading.mouth_open, reading.mouth_width, *reading.eye_open]),
        reading.landmarks.numpy(),
    )
