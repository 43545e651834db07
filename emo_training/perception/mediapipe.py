"""Real faces by MediaPipe's FaceLandmarker: mesh, head pose and blendshapes, from the user's .task file.

Checked against mediapipe 1.2 (tasks API, as since 0.10): `facial_transformation_matrixes` are (4, 4) arrays,
translation in the last column in centimetres, from the canonical face to a camera with y up that looks along
-z. The mesh has 478 points, irises included: all are kept, since cues/landmarks.py names them by number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np

from emo_modules.cues import ibug

from .face_track import FaceTrack, largest
from .mesh_points import MESH_POINTS, ibug_points, mesh_box
from .pose import transform_angles
from .rates import FPS

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import FaceLandmarker

BLENDSHAPES = 52
MOST_FACES = 4  # looked for; with 1, the landmarker would smooth the poses itself
MODEL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/latest/"
    "face_landmarker.task"
)


@dataclass(frozen=True)
class MediaPipeAnalyzer:
    """A `FaceAnalyzer`. Raises ValueError for a missing or damaged bundle and for a missing package."""

    path: Path
    name: str = "mediapipe"

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise ValueError(f"{self.path} is not there: download MediaPipe's bundle from {MODEL}")
        if not is_zipfile(self.path):
            size = self.path.stat().st_size
            raise ValueError(
                f"{self.path} ({size} bytes) is no MediaPipe task bundle, which is a zip file: "
                f"download {MODEL} again"
            )
        if find_spec("mediapipe") is None:
            raise ValueError("the package mediapipe is missing: pip install 'emo-portrait[mediapipe]'")

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        import mediapipe

        seen = []
        with self._landmarker() as landmarker:
            for k, frame in enumerate(frames):
                image = mediapipe.Image(
                    image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
                )
                # A new landmarker for each shot, since its clock must not run backwards.
                result = landmarker.detect_for_video(image, round(k * 1000 / FPS))
                seen.append(_main_face(result, *frame.shape[:2]))
        columns = zip(*seen, strict=True) if seen else [[]] * 5
        counts, boxes, transforms, meshes, expressions = columns
        landmarks = np.array(meshes, np.float32).reshape(-1, MESH_POINTS, 2)
        return FaceTrack(
            counts=np.array(counts, np.int64),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            rotations=transform_angles(np.array(transforms, float).reshape(-1, 4, 4)).astype(np.float32),
            landmarks=landmarks,
            expressions=np.array(expressions, np.float32).reshape(-1, BLENDSHAPES),
            openings=_openings(landmarks),
        )

    def _landmarker(self) -> FaceLandmarker:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self.path)),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=MOST_FACES,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        try:
            return vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, OSError, ValueError) as error:
            raise ValueError(f"MediaPipe cannot use {self.path}: {error}; download {MODEL} again") from error


Seen = tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _openings(meshes: np.ndarray) -> np.ndarray:
    """(T, 4) of meshes (T, 478, 2), as `FaceTrack` has them."""
    points = ibug_points(meshes)
    mouth = np.stack([ibug.mouth_open(points), ibug.mouth_width(points)], axis=1)
    return np.concatenate([mouth, ibug.eye_open(points)], axis=1).astype(np.float32)


def _main_face(result: Any, height: int, width: int) -> Seen:
    """Count, box (4,), transform (4, 4), points (478, 2) and blendshapes (52,) of the largest face of one
    frame's FaceLandmarkerResult; NaN without one."""
    meshes = np.array([[(p.x, p.y) for p in face] for face in result.face_landmarks]).reshape(
        -1, MESH_POINTS, 2
    ) * (width, height)
    boxes = mesh_box(meshes)
    if len(boxes) == 0:
        unknown = [np.full(shape, np.nan) for shape in ((4,), (4, 4), (MESH_POINTS, 2), (BLENDSHAPES,))]
        return 0, unknown[0], unknown[1], unknown[2], unknown[3]
    main = largest(boxes)
    which = int((boxes.astype(np.float32) == main).all(axis=1).argmax())
    scores = np.array([category.score for category in result.face_blendshapes[which]])
    transform = np.asarray(result.facial_transformation_matrixes[which])
    return len(boxes), main, transform, meshes[which], scores
