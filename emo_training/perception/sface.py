"""Whose face it is: unit vectors of real faces by OpenCV's SFace, whose likeness is their cosine.

The weights are the user's: face_recognition_sface_2021dec.onnx of OpenCV's model zoo (Zhong et al., "SFace:
sigmoid-constrained hypersphere loss for robust face recognition", 2021). The zoo takes two pictures for the
same person from a cosine of 0.363 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emo_modules.cues.box import Box

from .five_points import box_points, five_points

if TYPE_CHECKING:
    import cv2

SIDE = 112  # px of the aligned face
# Where SFace was trained to find the eyes, the nose tip and the mouth's corners, left in the picture first.
ALIGNED = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
ZOO = "https://github.com/opencv/opencv_zoo"


@dataclass(frozen=True)
class SFace:
    """SFace, and YuNet to find five points of a face where the caller does not know them."""

    recognizer: cv2.FaceRecognizerSF
    detector: cv2.FaceDetectorYN | None = None

    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Unit vectors (N, 128) float32 of the faces in RGB frames (N, H, W, 3) uint8, at boxes (N, 4) px.

        landmarks px are MediaPipe's mesh (N, 478, 2) or iBUG's 68 points (N, 68, 2). Without them YuNet finds
        the points; without YuNet, or where it sees no face in the box, they are taken at typical places of
        the box, which turned and tilted faces do not have. Raises ValueError for a frame without a box.
        """
        missing = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
        if len(missing):
            raise ValueError(f"frames {missing.tolist()} have no face box: leave them out")
        points = [
            self._points(frame, box) if landmarks is None else five_points(landmarks[k])
            for k, (frame, box) in enumerate(zip(frames, boxes, strict=True))
        ]
        vectors = [self._vector(align(f, p)) for f, p in zip(frames, points, strict=True)]
        return np.array(vectors, np.float32).reshape(len(vectors), -1)

    @property
    def dimensions(self) -> int:
        """Of its vectors: 128. insightface's networks, which take faces of another range, have 512."""
        return int(self.recognizer.feature(np.zeros((SIDE, SIDE, 3), np.uint8)).size)

    def _points(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        faces = None
        if self.detector is not None:
            self.detector.setInputSize((frame.shape[1], frame.shape[0]))
            _, faces = self.detector.detect(np.ascontiguousarray(frame[..., ::-1]))
        wanted = Box(*box.tolist())
        overlaps = [wanted.iou(Box(x, y, x + w, y + h)) for x, y, w, h in _rows(faces)[:, :4].tolist()]
        if max(overlaps, default=0) == 0:
            return box_points(box)
        return _rows(faces)[int(np.argmax(overlaps)), 4:14].reshape(5, 2)

    def _vector(self, aligned: np.ndarray) -> np.ndarray:
        vector = self.recognizer.feature(np.ascontiguousarray(aligned[..., ::-1])).ravel()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _rows(faces: np.ndarray | None) -> np.ndarray:
    """YuNet's answer as (K, 15): box x, y, w, h, five points, score."""
    return np.zeros((0, 15), np.float32) if faces is None else faces


def align(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face (112, 112, 3), moved, turned and scaled until its points (5, 2) lie closest to SFace's."""
    import cv2

    return cv2.warpAffine(np.ascontiguousarray(frame), similarity_transform(points), (SIDE, SIDE))


def similarity_transform(points: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix that takes points (5, 2) to SFace's with the least squared error."""
    source, target = (np.asarray(p, float) @ (1, 1j) for p in (points, ALIGNED))
    centred = source - source.mean()
    # In complex numbers a turn with a scale is one factor.
    factor = (centred.conj() @ target) / (centred.conj() @ centred)
    shift = target.mean() - factor * source.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def load_sface(path: Path, detector: Path | None = None) -> SFace:
    """SFace from its onnx file, and YuNet from another if given. Raises ValueError for files that are missing
    or hold something else, and for a missing package."""
    for file in (path, detector):
        if file is not None and not file.is_file():
            raise ValueError(f"{file} is not there: take SFace's and YuNet's onnx files from {ZOO}")
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ValueError("the package cv2 is missing: pip install 'emo-portrait[footage]'") from error
    try:
        recognizer = cv2.FaceRecognizerSF.create(str(path), "")
        finder = None if detector is None else cv2.FaceDetectorYN.create(str(detector), "", (SIDE, SIDE))
        recognizer.feature(np.zeros((SIDE, SIDE, 3), np.uint8))
    except cv2.error as error:
        files = " or ".join(str(file) for file in (path, detector) if file)
        reason = error.err or "unreadable"
        raise ValueError(f"OpenCV cannot use {files}: {reason}; take SFace's file from {ZOO}") from error
    return SFace(recognizer, finder)
