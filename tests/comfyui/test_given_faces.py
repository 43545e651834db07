"""BOUNDING_BOX and FACE_LANDMARKS as other packs hand them over: taken as meant, or refused in words."""

from typing import Any

import numpy as np
import pytest
import torch

FACE = (10.0, 20.0, 40.0, 60.0)
BOX = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
SAME_BOXES = {
    "one": BOX,
    "list": [BOX],
    "of each picture": [[BOX], [{"x": 0, "y": 0, "width": 1, "height": 1}]],
    "with a label": [BOX | {"label": "face", "score": 0.9}],
    "row": [10, 20, 40, 60],
    "rows": [[10, 20, 40, 60]],
    "tensor": torch.tensor([[10.0, 20, 40, 60]]),
    "with a score": np.array([[10, 20, 40, 60, 0.9]]),
    "of each picture, tensor": torch.tensor([[[10.0, 20, 40, 60]]]),
    "one tensor": torch.tensor([10, 20, 40, 60]),
    "row of tensors": [*torch.tensor([10.0, 20, 40, 60])],
    "list of tensors": [torch.tensor([10, 20, 40, 60])],
    "numpy sides": {side: np.float32(value) for side, value in BOX.items()},
}


@pytest.mark.parametrize("name", SAME_BOXES)
def test_boxes_of_any_form_are_the_same_box(taken, name: str) -> None:
    (box,) = taken("BOUNDING_BOX", SAME_BOXES[name])[0]
    assert (box.x0, box.y0, box.x1, box.y1) == FACE


def test_each_picture_has_its_own_boxes(taken) -> None:
    found = taken("BOUNDING_BOX", [[BOX], [], [BOX, [1, 2, 3, 4]]])
    assert [[box.x1 for box in boxes] for boxes in found] == [[40], [], [40, 3]]


@pytest.mark.parametrize("value", [[], [[]], [[], [BOX]], torch.zeros(0, 4)])
def test_no_box_in_the_first_picture_is_no_box(taken, value) -> None:
    assert taken("BOUNDING_BOX", value)[0] == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": 1, "y": 2}, "must have x, y, width and height, got a dictionary of x, y"),
        (BOX | {"width": 0}, "a width and a height above 0, got 0 x 40"),
        (BOX | {"height": -1}, "a width and a height above 0, got 30 x -1"),
        (BOX | {"x": float("nan")}, "it's x must be a number .* got nan"),
        (BOX | {"height": "tall"}, "it's height must be a number"),
        ([10, 20, 5, 60], "above 0, got -5 x 40"),
        (torch.tensor([[10, 20, torch.inf, 60]]), "it's x1 must be a number"),
        ([3], "must be boxes of x, y, width and height, got 3"),
        ("face", "got 'face'"),
    ],
)
def test_what_is_no_box_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("BOUNDING_BOX", value)


def found_face(**changes: Any) -> dict[str, Any]:
    return {"frames": [[{"bbox_xyxy": [1, 2, 3, 4]} | changes]], "image_size": (64, 64)}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"frames": [[]]}, "frames and image_size, got a dictionary of frames"),
        ({"frames": 3, "image_size": (64, 64)}, "at least one frame, got 3"),
        ({"frames": [[]], "image_size": 64}, "image_size must be height and width, got 64"),
        ({"frames": [[]], "image_size": (0, 64)}, "image_size must be a number from 1"),
        ({"frames": [[[1, 2, 3, 4]]], "image_size": (64, 64)}, "faces with bbox_xyxy"),
        ({"frames": [3], "image_size": (64, 64)}, "list of faces for each frame, got 3"),
        (found_face(bbox_xyxy=[float("nan")] * 4), "bbox_xyxy's x0 must be a number"),
        (
            found_face(bbox_xyxy=BOX),
            "bbox_xyxy must be four numbers, got a dictionary of x, y, width, height",
        ),
        (found_face(bbox_xyxy=torch.tensor(3)), "bbox_xyxy must be four numbers, got 3"),
    ],
)
def test_what_are_no_landmarks_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("FACE_LANDMARKS", value)


@pytest.mark.parametrize("size", [(64, 48), [64, 48], torch.tensor([64, 48]), ("64", np.int64(48))])
def test_the_size_of_landmarks_pictures_is_two_numbers(taken, size) -> None:
    assert taken("FACE_LANDMARKS", found_face() | {"image_size": size})["image_size"] == (64.0, 48.0)


@pytest.mark.parametrize(
    "points", [None, [[1.0, 2.0]], [[float("nan"), 0.0]] * 478, [1.0] * 478, "abc", [[1], [1, 2]]]
)
def test_points_that_are_no_mesh_are_refused(scene, points) -> None:
    landmarks = found_face(landmarks_xy=points)
    landmarks["image_size"] = (128, 128)
    with pytest.raises(ValueError, match="landmarks_xy of 468 or more finite points"):
        scene.sample(0.04, face_landmarks=landmarks)
