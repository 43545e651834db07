"""Sheets to look at: many people, one through the shapes of the mouth, one through pose and light."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..acting.face import Expression, Pose
from ..acting.visemes import VISEMES
from ..people.person import Person, random_person
from ..rendering.framing import Framing
from ..rendering.scene import random_scene

if TYPE_CHECKING:
    from ..rendering.studio import Studio

SHOWN = (
    "pau", "aa", "ae", "ao", "eh", "ih", "iy", "ow", "uh", "uw",
    "b", "d", "f", "k", "l", "r", "s", "sh", "th", "w",
)  # fmt: skip
POSES = (Pose(-45), Pose(-22, -8), Pose(), Pose(22, 8), Pose(45), Pose(0, -22), Pose(0, 22), Pose(10, 5, 20))
LABEL = 12  # px from the top


def people_sheet(studio: Studio, seeds: Sequence[int], side: int = 192, columns: int = 10) -> Image.Image:
    """Everybody about as a portrait shows them: nearly ahead, some with a smile."""
    return lay_out([portrait(studio, seed, side) for seed in seeds], columns)


def portrait(studio: Studio, seed: int, side: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 7])
    smile = float(max(0, rng.uniform(-0.8, 0.8)))
    face = Expression.of(mouthSmileLeft=smile, mouthSmileRight=smile)
    yaw, pitch, roll = rng.normal(0, 1, 3) * (12, 5, 3)
    return studio.photograph(
        random_person(seed), face, Pose(yaw, pitch, roll), Framing(side, side, 0.56, 0.5, 0.48)
    )


def viseme_sheet(studio: Studio, person: Person, side: int = 256, columns: int = 5) -> Image.Image:
    """The mouth for twenty sounds, named."""
    framing = Framing(side, side, 0.8)
    pictures = []
    for sound in SHOWN:
        face = Expression.of((0.0, 0.0), **VISEMES[sound].actions)
        pictures.append(label(studio.photograph(person, face, Pose(), framing), sound))
    return lay_out(pictures, columns)


def light_sheet(studio: Studio, person: Person, scenes: Iterable[int], side: int = 192) -> Image.Image:
    """A row for each scene, by its seed, a column for each pose."""
    framing = Framing(side, side, 0.55, 0.5, 0.47)
    pictures = [
        studio.photograph(person, Expression.of(), pose, framing, scene=random_scene(seed))
        for seed in scenes
        for pose in POSES
    ]
    return lay_out(pictures, len(POSES))


def lay_out(pictures: Sequence[np.ndarray], columns: int) -> Image.Image:
    """Pictures (H, W, 3) of one size in rows; what is missing in the last is black."""
    missing = -len(pictures) % columns
    cells = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    rows = [np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)]
    return Image.fromarray(np.vstack(rows))


def label(picture: np.ndarray, text: str) -> np.ndarray:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.text((LABEL, LABEL), text, fill="white", stroke_width=2, stroke_fill="black")
    return np.asarray(image)
