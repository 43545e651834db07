"""BOUNDING_BOX and FACE_LANDMARKS as other packs hand them over."""

import logging
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .values import described, real_number

FARTHEST = 1e6  # pixels


def boxes(name: str, value: Any, log: logging.Logger) -> list[dict[str, float]]:
    """BOUNDING_BOX -> the first picture's boxes, {"x", "y", "width", "height"} in its pixels.

    Takes one, a list, a list for each picture, and rows of numbers (x0, y0, x1, y1, ...) as detectors give
    them. Raises ValueError for a box that lacks a side or has no area, and numbers that are not finite.
    """
    value = value.tolist() if isinstance(value, Tensor | np.ndarray) else value
    if isinstance(value, Mapping):
        return [_box(name, value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be boxes of x, y, width and height, got {described(value)}")
    if _is_row(value):
        return [_corners(name, value)]
    for_each_picture = bool(value) and isinstance(value[0], list | tuple) and not _is_row(value[0])
    entries = value[0] if for_each_picture else value
    return [box for entry in entries for box in boxes(name, entry, log)]


def _is_row(value: list[Any] | tuple[Any, ...]) -> bool:
    return len(value) >= 4 and isinstance(value[0], Real)


def _box(name: str, value: Mapping[str, Any]) -> dict[str, float]:
    sides = ("x", "y", "width", "height")
    missing = [side for side in sides if side not in value]
    if missing:
        raise ValueError(f"{name} must have x, y, width and height, got {described(value)}")
    x, y, width, height = (real_number(f"{name}'s {s}", value[s], -FARTHEST, FARTHEST) for s in sides)
    return _with_area(name, x, y, width, height)


def _corners(name: str, row: list[Any] | tuple[Any, ...]) -> dict[str, float]:
    names = ("x0", "y0", "x1", "y1")
    x0, y0, x1, y1 = (
        real_number(f"{name}'s {edge}", value, -FARTHEST, FARTHEST)
        for edge, value in zip(names, row[:4], strict=True)
    )
    return _with_area(name, x0, y0, x1 - x0, y1 - y0)


def _with_area(name: str, x: float, y: float, width: float, height: float) -> dict[str, float]:
    if width <= 0 or height <= 0:
        raise ValueError(
            f"{name} must have a width and a height above 0, got {width:g} x {height:g} at {x:g}, {y:g}; "
            "rows of numbers are left, upper, right and lower edge"
        )
    return {"x": x, "y": y, "width": width, "height": height}


def landmarks(name: str, value: Any, log: logging.Logger) -> dict[str, Any]:
    """FACE_LANDMARKS -> itself. Raises ValueError unless it has the form of MediaPipe Face Landmarker's:
    frames of faces, each with a box and finite points."""
    if not isinstance(value, Mapping) or not {"frames", "image_size"} <= set(value):
        raise ValueError(
            f"{name} must be MediaPipe Face Landmarker's frames and image_size, got {described(value)}"
        )
    for side, size in zip(("height", "width"), _pair(name, value["image_size"]), strict=True):
        real_number(f"{name}'s image {side}", size, 1, FARTHEST)
    frames = value["frames"]
    if not isinstance(frames, list | tuple) or not frames:
        raise ValueError(f"{name} must have at least one frame, got {described(frames)}")
    for frame in frames:
        _check_faces(name, frame, log)
    return dict(value)


def _check_faces(name: str, frame: Any, log: logging.Logger) -> None:
    if not isinstance(frame, list | tuple | None):
        raise ValueError(f"{name} must have a list of faces for each frame, got {described(frame)}")
    for face in frame or ():
        if not isinstance(face, Mapping) or "bbox_xyxy" not in face:
            raise ValueError(f"{name} must have faces with bbox_xyxy, got {described(face)}")
        boxes(f"{name}'s bbox_xyxy", face["bbox_xyxy"], log)


def _pair(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple | np.ndarray | Tensor | torch.Size) or len(value) != 2:
        raise ValueError(f"{name}'s image_size must be height and width, got {described(value)}")
    return list(value)
