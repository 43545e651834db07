"""BOUNDING_BOX and FACE_LANDMARKS as other packs hand them over."""

import logging
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from ...emo_modules.cues.box import Box
from .values import as_list, describe, real_number, unpack

FARTHEST = 1e6  # pixels


def boxes(name: str, value: Any, log: logging.Logger) -> list[Box]:
    """BOUNDING_BOX -> the first picture's boxes, in its pixels.

    Takes one, a list, a list for each picture, and rows of numbers (x0, y0, x1, y1, ...) as detectors give
    them. Raises ValueError for a box that lacks a side or has no area, and numbers that are not finite.
    """
    value = as_list(value)
    if isinstance(value, Mapping):
        return [_box(name, value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be boxes of x, y, width and height, got {describe(value)}")
    if _is_row(value):
        return [_corners(name, value)]
    for_each_picture = bool(value) and isinstance(value[0], list | tuple) and not _is_row(value[0])
    entries = value[0] if for_each_picture else value
    return [box for entry in entries for box in boxes(name, entry, log)]


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


def face_of(given: list[Box] | None, landmarks: dict[str, Any] | None, index: int) -> Box | None:
    """Face `index`, largest first, of those given, else of FACE_LANDMARKS; None when neither has one.

    Raises ValueError when there are faces, but fewer.
    """
    faces = landmarks["frames"][0] or () if landmarks else ()
    found = given or [Box(*(float(edge) for edge in face["bbox_xyxy"])) for face in faces]
    if not found:
        return None
    if index >= len(found):
        raise ValueError(
            f"face index {index}, but {len(found)} were given: choose 0 (largest) to {len(found) - 1}"
        )
    return sorted(found, key=lambda box: box.area, reverse=True)[index]
