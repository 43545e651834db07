"""Eyes, and what should stand still, in a film against the true one of the same size."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from emo_modules.cues.face import Crop, cut_out
from emo_modules.media.image import to_bytes
from emo_training.evaluation.pairs import Video

from ..recipe.decoder_figures import eye_boxes, gradient_energy

GROWN = 1.5  # sides of a face's box: around it there are hair, ears and neck
NEAR = 9  # px around a person that count as theirs
LEAST_OUTSIDE = 0.02  # of the picture's pixels, below which nothing is said of what is outside the head


def cut_film(video: Video, crop: Crop) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 of a video as a crop of its picture shows them."""
    for frame in video.frames():
        planes = torch.from_numpy(frame).movedim(-1, 0).float() / 255
        yield to_bytes(cut_out(planes, crop).movedim(0, -1)).numpy()


def cut_points(points: np.ndarray, crop: Crop) -> np.ndarray:
    """Points (..., 2) of the picture in the crop's px."""
    scale = np.array([crop.width / crop.box.width, crop.height / crop.box.height])
    return (points - np.array([crop.box.x0, crop.box.y0])) * scale


def eye_energy(frames: np.ndarray, landmarks: np.ndarray) -> float:
    """Mean gradient energy in the eyes of frames (F, H, W, 3) uint8 with landmarks (F, 68, 2); 0 where no
    frame shows an eye."""
    energies = [
        gradient_energy(_planes(frame[box]))
        for frame, points in zip(frames, landmarks, strict=True)
        if np.isfinite(points).all()
        for box in eye_boxes(points, frame.shape[:2])
    ]
    return float(np.mean(energies)) if energies else 0.0


def _planes(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).movedim(-1, 0).float() / 255


def change(frames: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Mean absolute change (F - 1,) in grey levels from frame to frame of (F, H, W, 3) uint8, of the pixels
    `where` (H, W) is true."""
    pairs = zip(frames[:-1].astype(np.int16), frames[1:].astype(np.int16), strict=True)
    off = (np.abs(b - a) for a, b in pairs)
    return np.array([float(one.mean() if where is None else one[where].mean()) for one in off])


def outside(person: np.ndarray, crop: Crop, boxes: np.ndarray) -> np.ndarray | None:
    """The pixels (height, width) bool of a crop that show neither the true person (H, W) nor are near one of
    the faces (F, 4) that were read in the crop; None where there are hardly any."""
    planes = torch.from_numpy(person).float()[None].expand(3, -1, -1)
    wide = torch.nn.functional.max_pool2d(cut_out(planes, crop)[None, 0], 2 * NEAR + 1, 1, NEAR)
    free = wide[0].numpy() < 0.1
    for x0, y0, x1, y1 in boxes[np.isfinite(boxes).all(1)]:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        reach = np.array([x1 - x0, y1 - y0]) * GROWN / 2
        left, top = np.maximum(np.floor([x, y] - reach), 0).astype(int)
        right, bottom = np.maximum(np.ceil([x, y] + reach), 0).astype(int)
        free[top:bottom, left:right] = False
    return free if free.mean() >= LEAST_OUTSIDE else None


def border_ratio(changes: np.ndarray, clip: int) -> float:
    """Mean change (F - 1,) into the first frame of a clip of so many frames over that into the others; 1
    where there is no border."""
    border = np.arange(1, len(changes) + 1) % clip == 0
    if not border.any() or border.all() or changes[~border].mean() == 0:
        return 1.0
    return float(changes[border].mean() / changes[~border].mean())
