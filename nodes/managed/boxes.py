"""Faces that other nodes have found."""

from collections.abc import Iterator
from typing import Any

from ...emo_modules.media.face import Box


def boxes_of(bounding_box: Any, landmarks: Any, index: int) -> Box | None:
    """Face `index`, largest first, of a BOUNDING_BOX, else of FACE_LANDMARKS; None when neither has one.

    Raises ValueError when there are faces, but fewer.
    """
    found = list(_from_boxes(bounding_box)) or list(_from_landmarks(landmarks))
    if not found:
        return None
    if index >= len(found):
        raise ValueError(
            f"face index {index}, but {len(found)} were given: choose 0 (largest) to {len(found) - 1}"
        )
    return sorted(found, key=lambda box: box.area, reverse=True)[index]


def _from_boxes(value: Any) -> Iterator[Box]:
    """One box, a list of them, or a list for each picture, of which the first counts."""
    if isinstance(value, dict):
        x, y = value["x"], value["y"]
        yield Box(x, y, x + value["width"], y + value["height"])
    elif value:
        per_picture = isinstance(value[0], list | tuple)
        for entry in value[0] if per_picture else value:
            yield from _from_boxes(entry)


def _from_landmarks(value: Any) -> Iterator[Box]:
    faces = value["frames"][0] if value and value["frames"] else []
    for face in faces or []:
        yield Box(*(float(edge) for edge in face["bbox_xyxy"]))
