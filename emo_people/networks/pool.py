"""Rendered people with their truth on disk: what the face finder and the face reader learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from emo_modules.writing.partial import whole_file

SIDE = 256  # px of the pictures
HELD_OUT = 10  # every so manieth person is kept to check with
FIELDS: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "picture": ((SIDE, SIDE, 3), np.uint8),
    "alpha": ((SIDE, SIDE), np.uint8),
    "landmarks": ((68, 2), np.float32),
    "irises": ((2, 2), np.float32),
    "five": ((5, 2), np.float32),
    "box": ((4,), np.float32),
    "pose": ((3,), np.float32),
    "mouth_open": ((), np.float32),
    "mouth_width": ((), np.float32),
    "eye_open": ((2,), np.float32),
    "face_seen": ((), np.float32),
    "person": ((), np.int64),
}
BACKGROUNDS = "backgrounds.npz"
FACELESS = "faceless-*.npz"


@dataclass(frozen=True)
class Pool:
    """N pictures of people, each with its truth in px, degrees and inter-ocular distances.

    picture (N, 256, 256, 3) uint8; alpha (N, 256, 256) uint8, 255 where the person is; landmarks (N, 68, 2);
    irises (N, 2, 2) and five (N, 5, 2): eye centres, nose tip, mouth corners, the viewer's left first; box
    (N, 4) from ear to ear and hairline to chin; pose (N, 3) yaw, pitch, roll; mouth_open, mouth_width (N,);
    eye_open (N, 2); face_seen (N,), the share of the face that hair and what is worn leave to see; person
    (N,), the person's seed.
    """

    picture: np.ndarray
    alpha: np.ndarray
    landmarks: np.ndarray
    irises: np.ndarray
    five: np.ndarray
    box: np.ndarray
    pose: np.ndarray
    mouth_open: np.ndarray
    mouth_width: np.ndarray
    eye_open: np.ndarray
    face_seen: np.ndarray
    person: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """All shards of a folder. Raises FileNotFoundError where there are none."""
        shards = sorted(folder.glob("people-*.npz"))
        if not shards:
            raise FileNotFoundError(f"{folder} has no people-*.npz: render the people first")
        parts: dict[str, list[np.ndarray]] = {name: [] for name in FIELDS}
        for shard in shards:
            with np.load(shard) as stored:
                for name, kept in parts.items():
                    kept.append(stored[name])
        return cls(**{name: np.concatenate(kept) for name, kept in parts.items()})

    def only(self, chosen: np.ndarray) -> Self:
        """The pictures whose places or truth values are given."""
        return type(self)(**{name: getattr(self, name)[chosen] for name in FIELDS})

    def split(self) -> tuple[Self, Self]:
        """What to train on, and what to check with: other people."""
        held_out = self.person % HELD_OUT == HELD_OUT - 1
        return self.only(~held_out), self.only(held_out)


def write_shard(folder: Path, number: int, rows: Mapping[str, np.ndarray]) -> Path:
    """Writes one shard with all that `Pool` has, and what else is in the rows.

    Raises ValueError where something is missing, or has another shape than the pictures ask for.
    """
    count = len(rows["picture"])
    arrays = dict(rows)
    for name, (shape, kind) in FIELDS.items():
        if name not in rows or rows[name].shape != (count, *shape):
            got = rows[name].shape if name in rows else "nothing"
            raise ValueError(f"{name} of shard {number} is {got}: give {(count, *shape)}")
        arrays[name] = rows[name].astype(kind, copy=False)
    path = folder / f"people-{number:05d}.npz"
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes any name for `allow_pickle`
    return path


def read_backgrounds(folder: Path) -> np.ndarray:
    """Pictures (N, 256, 256, 3) uint8 without people; none where the folder has none."""
    path = folder / BACKGROUNDS
    if not path.exists():
        return np.zeros((0, SIDE, SIDE, 3), np.uint8)
    with np.load(path) as stored:
        return stored["picture"]


def read_faceless(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 256, 256, 4) uint8 of people without a face, the last channel 255 where the person is, and
    their numbers (N,); none where the folder has none."""
    pictures, numbers = [np.zeros((0, SIDE, SIDE, 4), np.uint8)], [np.zeros(0, np.int64)]
    for shard in sorted(folder.glob(FACELESS)):
        with np.load(shard) as stored:
            pictures.append(stored["picture"])
            numbers.append(stored["number"])
    return np.concatenate(pictures), np.concatenate(numbers)
