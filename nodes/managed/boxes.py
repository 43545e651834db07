"""Faces that other nodes have found."""

from typing import Any

from ...emo_modules.cues.face import Box


def boxes_of(given: list[Box] | None, landmarks: dict[str, Any] | None, index: int) -> Box | None:
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
