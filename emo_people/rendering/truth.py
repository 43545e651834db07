"""What is to be seen in a picture of a person, from the mesh that was drawn."""

from dataclasses import dataclass

import numpy as np

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # of the 68 points, as the viewer sees them
OUTER_CORNERS = (36, 45)
MOUTH_CORNERS = (48, 54)
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))


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
        eyes = [points[eye].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
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


def face_lengths(points: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Mouth's opening, its width and the eyes' openings (2,), of the 68 points (68, 3) of a head, over the
    distance of the outer corners of the eyes."""
    unit = np.linalg.norm(points[OUTER_CORNERS[0]] - points[OUTER_CORNERS[1]])

    def mean_gap(pairs: tuple[tuple[int, int], ...]) -> float:
        return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in pairs]) / unit)

    eyes = np.array([mean_gap(pairs) for pairs in LIDS])
    return mean_gap(INNER_LIPS), mean_gap((MOUTH_CORNERS,)), eyes
