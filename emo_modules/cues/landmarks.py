"""Facial points, and the pictures of them that V-Express and EchoMimic's pose model take.

Both drew with OpenCV; the drawing functions here put its pixels without it (why: docs/relatives.md, 6).
"Mesh" means MediaPipe's face mesh: 468 points in its order, or 478 with the irises. Fewer are the 68 points
of `ibug.py`. Left and right of the mesh are the person's, left and right of V-Express's three points are the
picture's.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .box import Box

# The three points inside a face's box, as (x, y) of its sides: the median over V-Express's 25 sample
# portraits, where single points lie up to 0.06 (one standard deviation) off.
KPS_IN_FACE = ((0.30, 0.45), (0.70, 0.45), (0.50, 0.64))

KPS_COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))  # left eye, right eye, nose
KPS_RADIUS = 4
STICK_HALF_WIDTH = 4
STICK_BRIGHTNESS = 0.6

MESH_POINTS = 468
MESH_CANVAS = 512  # EchoMimic draws at this size and resizes
LINE_HALF_WIDTH = 1
DOT_HALF_WIDTH = 3

# Chains of mesh points and their colours, drawn in this order. EchoMimic turns irises, mouth and the face's
# outline off (infer_audio2vid_pose.py).
LEFT_EYE = ((263, 249, 390, 373, 374, 380, 381, 382, 362), (263, 466, 388, 387, 386, 385, 384, 398, 362))
RIGHT_EYE = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (33, 246, 161, 160, 159, 158, 157, 173, 133))
LEFT_EYEBROW = ((276, 283, 282, 295, 285), (300, 293, 334, 296, 336))
RIGHT_EYEBROW = ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107))
MESH_LINES = (
    (LEFT_EYE, (180, 200, 10)),
    (RIGHT_EYE, (10, 200, 180)),
    (LEFT_EYEBROW, (180, 220, 10)),
    (RIGHT_EYEBROW, (10, 220, 180)),
)
MESH_DOTS = ((468, (10, 200, 250)), (473, (250, 200, 10)), (4, (200, 200, 200)))  # pupils and nose tip

# What Hallo's boxes go around (hallo/utils/util.py).
OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375)
EYE_CORNERS = ((33, 133), (362, 263))  # the right eye, which is left in the picture, then the left
NOSE_TIP = 4
# The same of the 68 points.
IBUG_LIPS, IBUG_CORNERS, IBUG_TIP = tuple(range(48, 60)), ((36, 39), (42, 45)), 30


def mediapipe_points(landmarks: Mapping[str, Any], frame: int = 0, index: int = 0) -> Tensor:
    """The mesh (478, 2) of one face in ComfyUI's FACE_LANDMARKS, x and y in pixels of the analysed picture.

    index counts the frame's faces, largest box first. Raises ValueError when there is no such frame
    or face, or its points are not those of a mesh.
    """
    frames = landmarks["frames"]
    if not 0 <= frame < len(frames):
        raise ValueError(f"landmarks of frame {frame} are needed, but there are {len(frames)} frames")
    faces = sorted(frames[frame], key=lambda face: Box(*map(float, face["bbox_xyxy"])).area, reverse=True)
    if not 0 <= index < len(faces):
        raise ValueError(f"frame {frame} of the landmarks has {len(faces)} faces, face {index} is needed")
    points = _numbers(faces[index].get("landmarks_xy"))
    if points.ndim != 2 or len(points) < MESH_POINTS or points.shape[1] < 2 or not points.isfinite().all():
        raise ValueError(
            f"a face needs landmarks_xy of {MESH_POINTS} or more finite points, got {tuple(points.shape)}: "
            "take the landmarks from MediaPipe Face Landmarker"
        )
    return points[:, :2]


def _numbers(value: Any) -> Tensor:
    """A tensor, an array or nested lists of numbers as a tensor; an empty one for anything else."""
    try:
        return torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):  # torch's, for what holds no numbers, and uneven rows
        return torch.zeros(0)


def face_box(points: Tensor) -> Box:
    """The box around the face's outline in the mesh points (N, 2), in their pixels: Hallo's face."""
    return _around(points[list(OUTLINE)])


def outline(face: Box, points: Tensor | None) -> Box:
    """As `face_box` where there is a mesh, which reaches to the hairline; else the face's own box."""
    return face_box(points) if points is not None and is_mesh(points) else face


def is_mesh(points: Tensor) -> bool:
    return len(points) >= MESH_POINTS


def lips_box(points: Tensor) -> Box:
    """The box around the outer lips in the mesh or the 68 points (N, 2), in their pixels: Hallo's lips."""
    return _around(points[list(OUTER_LIPS if is_mesh(points) else IBUG_LIPS)])


def _around(points: Tensor) -> Box:
    return Box(*points.amin(dim=0).tolist(), *points.amax(dim=0).tolist())


def kps_of(points: Tensor) -> Tensor:
    """V-Express's three points (3, 2) of the mesh or the 68 points (N, 2): the eyes' middles and the nose
    tip."""
    eyes, tip = (EYE_CORNERS, NOSE_TIP) if is_mesh(points) else (IBUG_CORNERS, IBUG_TIP)
    left, right = (points[list(corners)].mean(dim=0) for corners in eyes)
    return torch.stack([left, right, points[tip]])


def estimate_kps(face: Box) -> Tensor:
    """V-Express's three points (3, 2) of a frontal face, given find_face's box around it; see KPS_IN_FACE."""
    return torch.tensor([[face.x0 + x * face.width, face.y0 + y * face.height] for x, y in KPS_IN_FACE])


def draw_kps(points: Tensor, height: int, width: int) -> Tensor:
    """V-Express's picture (3, height, width) in 0..1 of the left eye, right eye and nose (3, 2) in pixels.

    A stick from each eye to the nose, and a dot on each of the three. Source: V-Express, datasets/utils.py.
    """
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    kps = points.cpu().double().numpy()
    for eye, colour in zip(kps[:2], KPS_COLOURS, strict=False):
        _fill(canvas, _stick(eye, kps[2]), [int(STICK_BRIGHTNESS * value) for value in colour])
    for point, colour in zip(kps, KPS_COLOURS, strict=True):
        _disc(canvas, np.trunc(point).astype(int), KPS_RADIUS, colour)
    return _to_tensor(canvas)


def _stick(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """The corners (K, 2), whole pixels, of a thin ellipse from start to stop, turned by whole degrees."""
    dx, dy = start - stop
    centre = np.trunc((start + stop) / 2)
    half_length = int(math.hypot(dx, dy) / 2)
    turn = math.radians(int(math.degrees(math.atan2(dy, dx))))
    steps = np.radians(np.arange(361))
    along, across = half_length * np.cos(steps), STICK_HALF_WIDTH * np.sin(steps)
    x = along * math.cos(turn) - across * math.sin(turn)
    y = along * math.sin(turn) + across * math.cos(turn)
    return np.round(centre + np.stack([x, y], axis=-1))


def draw_landmarks(points: Tensor, height: int, width: int) -> Tensor:
    """EchoMimic's picture (3, height, width) in 0..1 of the mesh points (N, 2), in pixels of that picture.

    Lines for the eyes (MESH_LINES: left (180, 200, 10), right (10, 200, 180)) and eyebrows (left (180, 220,
    10), right (10, 220, 180)), squares for the pupils where N covers the irises (right (10, 200, 250), left
    (250, 200, 10)) and for the nose tip (200, 200, 200); no mouth and no outline. What lies outside the
    picture is left out. Raises ValueError for fewer than 468 points.
    Source: EchoMimic, src/utils/draw_utils.py and infer_audio2vid_pose.py.
    """
    if len(points) < MESH_POINTS:
        raise ValueError(f"a face mesh of {MESH_POINTS} or more points is needed, got {len(points)} points")
    canvas = np.zeros((MESH_CANVAS, MESH_CANVAS, 3), dtype=np.uint8)
    # In single precision, as MediaPipe holds them: it decides which pixel a point falls into.
    placed = (points.cpu().double() / torch.tensor([width, height])).float().double().numpy()
    for chains, colour in MESH_LINES:
        for start, stop in (pair for chain in chains for pair in pairwise(chain)):
            _line(canvas, placed[start], placed[stop], colour)
    for index, colour in MESH_DOTS:
        if index < len(placed) and placed[index].min() >= 0 and placed[index].max() < 1:
            x, y = (placed[index] * MESH_CANVAS).astype(int)
            rows = slice(max(y - DOT_HALF_WIDTH, 0), y + DOT_HALF_WIDTH)
            canvas[rows, max(x - DOT_HALF_WIDTH, 0) : x + DOT_HALF_WIDTH] = colour
    picture = _to_tensor(canvas)
    if (height, width) == (MESH_CANVAS, MESH_CANVAS):
        return picture
    resized = functional.interpolate(picture[None], size=(height, width), mode="bilinear")[0]
    return (resized * 255).round() / 255


def _line(canvas: np.ndarray, start: np.ndarray, stop: np.ndarray, colour: Sequence[int]) -> None:
    """A line 2 px wide with round ends between two places in 0..1, when both are inside."""
    both = np.stack([start, stop])
    if both.min() < 0 or both.max() > 1:
        return
    first, last = ends = np.minimum(np.floor(both * MESH_CANVAS), MESH_CANVAS - 1)
    length = math.hypot(*(last - first))
    if length > 0:
        side = (last - first)[::-1] * (1, -1) * LINE_HALF_WIDTH / length
        _fill(canvas, np.stack([first + side, first - side, last - side, last + side]), colour)
    for end in ends.astype(int):
        _disc(canvas, end, LINE_HALF_WIDTH, colour)


def _disc(canvas: np.ndarray, centre: np.ndarray, radius: int, colour: Sequence[int]) -> None:
    for dy in range(-radius, radius + 1):
        half = math.isqrt(radius**2 - dy**2)
        _span(canvas, centre[1] + dy, centre[0] - half, centre[0] + half, colour)


def _fill(canvas: np.ndarray, corners: np.ndarray, colour: Sequence[int]) -> None:
    """A convex polygon with the corners (K, 2) in pixels, its outline's pixels included."""
    edges = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    pixels = np.concatenate([_edge_pixels(start, stop) for start, stop in edges])
    for row in np.unique(pixels[:, 1]):
        columns = pixels[pixels[:, 1] == row, 0]
        _span(canvas, row, columns.min(), columns.max(), colour)


def _edge_pixels(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n, 2) whole pixels from start to stop: one for each step along the longer direction."""
    way = stop - start
    longer = int(abs(way[1]) >= abs(way[0]))
    if way[longer] < 0:
        start, stop, way = stop, start, -way
    steps = np.arange(int(way[longer]) + 1)[:, None]
    pixels = np.floor(start + 0.5 + steps * way / max(way[longer], 1e-9))
    return np.concatenate([pixels, np.floor(stop + 0.5)[None]]).astype(int)


def _span(canvas: np.ndarray, row: int, first: int, last: int, colour: Sequence[int]) -> None:
    if 0 <= row < canvas.shape[0] and last >= 0:
        canvas[row, max(first, 0) : last + 1] = colour


def _to_tensor(canvas: np.ndarray) -> Tensor:
    return torch.from_numpy(canvas).movedim(-1, 0).float() / 255
