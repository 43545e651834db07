"""What MediaPipe says of pictures and films, kept in a file, since it often lives in another environment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo_modules.media.image import load_image, to_bytes
from emo_modules.media.video import read_video
from emo_training.perception.face_track import FaceTrack

FILMS = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True)
class Sight:
    """The largest face of T frames: meshes (T, 478, 2) in px, expressions (T, 52) as MediaPipe's blendshapes,
    rotations (T, 3) in degrees, as yaw, pitch, roll; NaN where no face was seen."""

    meshes: np.ndarray
    expressions: np.ndarray
    rotations: np.ndarray

    @classmethod
    def of(cls, track: FaceTrack) -> "Sight":
        if track.landmarks is None or track.expressions is None:
            raise ValueError("the analyser knows no landmarks or expressions: take MediaPipe")
        return cls(track.landmarks, track.expressions, track.rotations)

    @property
    def seen(self) -> np.ndarray:
        """(T,) bool."""
        return np.isfinite(self.meshes[:, 0, 0])


def is_film(path: Path) -> bool:
    return path.suffix.lower() in FILMS


def read_frames(path: Path) -> np.ndarray:
    """The frames (T, H, W, 3) uint8 of a film, or the one of a picture."""
    if is_film(path):
        return read_video(path)[0].numpy()
    return to_bytes(load_image(path)).numpy()[None]


def save_sights(path: Path, sights: Mapping[Path, Sight]) -> None:
    arrays = {
        f"{k}/{name}": value for k, sight in enumerate(sights.values()) for name, value in vars(sight).items()
    }
    np.savez_compressed(path, files=np.array([str(file) for file in sights]), **arrays)


def load_sights(path: Path) -> dict[Path, Sight]:
    with np.load(path) as stored:
        return {Path(str(file)): _sight(stored, k) for k, file in enumerate(stored["files"])}


def _sight(stored: Mapping[str, np.ndarray], k: int) -> Sight:
    return Sight(*(stored[f"{k}/{name}"] for name in ("meshes", "expressions", "rotations")))


def find_files(places: list[Path]) -> Iterator[Path]:
    """Files as given, and pictures and films in folders as deep as they lie."""
    for place in places:
        if place.is_dir():
            suffixes = FILMS | {".jpeg", ".jpg", ".png", ".webp"}
            yield from sorted(path for path in place.rglob("*") if path.suffix.lower() in suffixes)
        else:
            yield place
