"""What is to be seen in a picture of a person, from the mesh that was drawn."""

from dataclasses import dataclass

import numpy as np

from emo_modules.cues.ibug import MOUTH_CORNERS

EYES = (slice(36, 42), slice(42, 48))  # of the 68 points, the viewer's left one first


@dataclass(frozen=True, eq=False)
class Truth:
    """landmarks (68, 2) px in iBUG's order, irises (2, 2) px, face_box (4,) px x0, y0, x1, y1, from ear to
    ear and from hairline to chin; mouth_open, mouth_width and eye_open (2,) are lengths on the head over the
    distance of the outer corners of the eyes; yaw, pitch, roll in degrees; the gaze likewise, of the eyes in
    the head.

    What is left is the viewer's left: the first eye is the person's right one.
    """

    landmarks: np.ndarray
    irises: np.ndarray
    face_box: np.ndarray
    mouth_open: float
    mouth_width: float
    eye_open: np.ndarray
    yaw: float
    pitch: float
    roll: float
    gaze: tuple[float, float]

    @property
    def five(self) -> np.ndarray:
        """Centres of the eyes, tip of the nose, corners of the mouth (5, 2), px."""
        points = self.landmarks
        eyes = [points[eye].mean(0) for eye in EYES]
        return np.stack([*eyes, points[30], *(points[k] for k in MOUTH_CORNERS)])


@dataclass(frozen=True, eq=False)
class Regions:
    """Masks (H, W) bool of what is seen: the face without lips and eyes, the lips, the eyes, the whole
    person."""

    face: np.ndarray
    lips: np.ndarray
    eyes: np.ndarray
    person: np.ndarray


@dataclass(frozen=True, eq=False)
class Displacement:
    """For each pixel of a second picture: `field` (H, W, 2) float32, x and y in px, leads to the same place
    in the first; `hidden` (H, W) bool is true where the first does not show that place."""

    field: np.ndarray
    hidden: np.ndarray
