"""The faces of pictures: boxes as they are written on a node, and as other packs hand them over."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, TypeVar

from torch import Tensor

from ...emo_modules.cues.box import Box
from ...emo_modules.cues.face import Face, find_face, find_faces
from .values import as_list, describe, real_number, unpack

FARTHEST = 1e6  # pixels
MOST_FACES = 100  # written on a node; each is a crop in memory, and a video to be rendered
BETWEEN_BOXES, BETWEEN_SIDES = re.compile(r"[;\r\n]"), re.compile(r"\s*,\s*|\s+")

Entry = TypeVar("Entry")


def written_boxes(name: str, text: str) -> list[Box]:
    """Boxes of x, y, width and height, one on each line or with semicolons between them.

    Raises ValueError with the line that is none.
    """
    lines = [line.strip() for line in BETWEEN_BOXES.split(text) if line.strip()]
    if len(lines) > MOST_FACES:
        raise ValueError(f"{name} may have {MOST_FACES} faces at most, got {len(lines)}")
    return [_written_box(name, line) for line in lines]


def _written_box(name: str, line: str) -> Box:
    try:
        x, y, width, height = (
            real_number(name, side, -FARTHEST, FARTHEST) for side in BETWEEN_SIDES.split(line)
        )
        return _with_area(name, x, y, width, height)
    except ValueError as error:
        raise ValueError(
            f"{name} must have x, y, width and height of one face on each line, in pixels and with an area, "
            f"such as 210, 80, 120, 160, got {describe(line)}"
        ) from error


def boxes(name: str, value: Any, log: logging.Logger) -> list[list[Box]]:
    """BOUNDING_BOX -> each picture's boxes, in its pixels, or one list for all of them.

    Takes one, a list, a list for each picture, and rows of numbers (x0, y0, x1, y1, ...) as detectors give
    them. Raises ValueError for a box that lacks a side or has no area, and numbers that are not finite.
    """
    value = as_list(value)
    listed = isinstance(value, list | tuple) and bool(value)
    if listed and isinstance(value[0], list | tuple) and not _is_row(value[0]):
        return [_boxes(name, entry) for entry in value]
    return [_boxes(name, value)]


def _boxes(name: str, value: Any) -> list[Box]:
    value = as_list(value)
    if isinstance(value, Mapping):
        return [_box(name, value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be boxes of x, y, width and height, got {describe(value)}")
    if _is_row(value):
        return [_corners(name, value)]
    return [box for entry in value for box in _boxes(name, entry)]


def _is_row(value: Sequence[Any]) -> bool:
    return len(value) >= 4 and isinstance(unpack(value[0]), Real)


def _box(name: str, value: Mapping[str, Any]) -> Box:
    sides = ("x", "y", "width", "height")
    missing = [side for side in sides if side not in value]
    if missing:
        raise ValueError(f"{name} must have x, y, width and height, got {describe(value)}")
    x, y, width, height = (real_number(f"{name}'s {s}", value[s], -FARTHEST, FARTHEST) for s in sides)
    return _with_area(name, x, y, width, height)


def _corners(name: str, row: Sequence[Any]) -> Box:
    names = ("x0", "y0", "x1", "y1")
    x0, y0, x1, y1 = (
        real_number(f"{name}'s {edge}", value, -FARTHEST, FARTHEST)
        for edge, value in zip(names, row[:4], strict=True)
    )
    return _with_area(name, x0, y0, x1 - x0, y1 - y0)


def _with_area(name: str, x: float, y: float, width: float, height: float) -> Box:
    if width <= 0 or height <= 0:
        raise ValueError(
            f"{name} must have a width and a height above 0, got {width:g} x {height:g} at {x:g}, {y:g}; "
            "rows of numbers are left, upper, right and lower edge"
        )
    return Box(x, y, x + width, y + height)


def landmarks(name: str, value: Any, log: logging.Logger) -> dict[str, Any]:
    """FACE_LANDMARKS -> itself. Raises ValueError unless it has the form of MediaPipe Face Landmarker's:
    frames of faces, each with a box."""
    if not isinstance(value, Mapping) or not {"frames", "image_size"} <= set(value):
        raise ValueError(
            f"{name} must be MediaPipe Face Landmarker's frames and image_size, got {describe(value)}"
        )
    size = _size(name, value["image_size"])
    frames = value["frames"]
    if not isinstance(frames, list | tuple) or not frames:
        raise ValueError(f"{name} must have at least one frame, got {describe(frames)}")
    for frame in frames:
        _check_faces(name, frame)
    return dict(value) | {"image_size": size}


def _check_faces(name: str, frame: Any) -> None:
    if not isinstance(frame, list | tuple | None):
        raise ValueError(f"{name} must have a list of faces for each frame, got {describe(frame)}")
    for face in frame or ():
        if not isinstance(face, Mapping) or "bbox_xyxy" not in face:
            raise ValueError(f"{name} must have faces with bbox_xyxy, got {describe(face)}")
        row = as_list(face["bbox_xyxy"])
        if not isinstance(row, list | tuple) or len(row) != 4:
            raise ValueError(f"{name}'s bbox_xyxy must be four numbers, got {describe(row)}")
        _corners(f"{name}'s bbox_xyxy", row)


def _size(name: str, value: Any) -> tuple[float, float]:
    """Height and width."""
    value = as_list(value)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name}'s image_size must be height and width, got {describe(value)}")
    height, width = (real_number(f"{name}'s image_size", side, 1, FARTHEST) for side in value)
    return height, width


@dataclass(frozen=True, eq=False)
class Places:
    """Where the faces of a batch of pictures are, as far as it is given."""

    drawn: Box | None  # the first face's, in every picture
    more: list[Box]  # of further faces, likewise
    index: int  # among faces that were not drawn, largest first
    masks: Tensor | None  # (M, H, W)
    boxes: list[list[Box]] | None  # of each picture, or of all
    landmarks: dict[str, Any] | None

    def faces(self, picture: Tensor, number: int, count: int) -> list[Face]:
        """Of picture (H, W, 3), `number` of `count`: the first one or those of its masks, then the further
        ones. Raises ValueError for other numbers of things than of pictures, and as `find_faces`."""
        further = [find_face(picture, box) for box in self.more]
        if self.drawn is not None:
            return [find_face(picture, self.drawn), *further]
        frames = self.landmarks["frames"] if self.landmarks else None
        given = partial(
            _face_of,
            _of_picture("bounding_box", self.boxes, number, count),
            _of_picture("face_landmarks", frames, number, count),
            self.index,
        )
        return find_faces(picture, self._masks(number, count), self.index, given) + further

    def _masks(self, number: int, count: int) -> list[Tensor]:
        """All of them for one picture, else its own."""
        masks = [] if self.masks is None else list(self.masks)
        mask = _of_picture("mask", masks, number, count)
        return masks if count == 1 or mask is None else [mask]


def _of_picture(name: str, entries: Sequence[Entry] | None, number: int, count: int) -> Entry | None:
    """The entry of picture `number` of `count`, which may be the only one; one picture's is the first."""
    if not entries:
        return None
    if 1 < count != len(entries) > 1:
        raise ValueError(
            f"{name} has {len(entries)} entries for {count} pictures: give one for each picture, or one for "
            "all of them"
        )
    return entries[number if 1 < count == len(entries) else 0]


def _face_of(given: list[Box] | None, faces: list[dict[str, Any]] | None, index: int) -> Box | None:
    """Face `index`, largest first, of those given, else of FACE_LANDMARKS; None when neither has one.

    Raises ValueError when there are faces, but fewer.
    """
    found = given or [Box(*(float(edge) for edge in face["bbox_xyxy"])) for face in faces or ()]
    if not found:
        return None
    if index >= len(found):
        raise ValueError(
            f"face index {index}, but {len(found)} were given: choose 0 (largest) to {len(found) - 1}"
        )
    return sorted(found, key=lambda box: box.area, reverse=True)[index]
