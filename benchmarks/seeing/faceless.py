"""Two hundred pictures that show no face, and that nothing was trained on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.seeing.reference import find_files, read_frames
from benchmarks.seeing.textures import textures

# Of scikit-image: what is shown neither by a person nor an animal's face, and is in its package.
OBJECTS = (
    *("brick", "cell", "checkerboard", "clock", "coffee", "coins", "colorwheel", "grass", "gravel"),
    *("horse", "hubble_deep_field", "immunohistochemistry", "logo", "microaneurysms", "moon", "page"),
    *("retina", "rocket", "shepp_logan_phantom", "text"),
)
PARTS = 4  # of each picture, besides the whole
SMALLEST_PART = 128  # px
RENDERED = 50  # people who look away, or whose head is above the picture
PEOPLE = 4_000_000  # seeds of theirs: from here on
TEXTURES = 5  # of each of eight kinds


def faceless(folders: list[Path], seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pictures (H, W, 3) uint8: 110 of scikit-image's and parts of them, 50 renders of people whose
    face is not seen, 40 textures, and all files in `folders`."""
    rng = np.random.default_rng(seed)
    for name, picture in _objects():
        yield name, picture
        for k in range(PARTS):
            yield f"{name}, part {k + 1}", _part(picture, rng)
    yield from _renders()
    yield from textures(TEXTURES)
    for path in find_files(folders):
        yield path.name, read_frames(path)[0]


def _objects() -> Iterator[tuple[str, np.ndarray]]:
    from skimage import data

    for name in OBJECTS:
        yield name, _as_rgb(getattr(data, name)())
    left, right, _ = data.stereo_motorcycle()
    yield "motorcycle", _as_rgb(left)
    yield "motorcycle from the right", _as_rgb(right)


def _renders() -> Iterator[tuple[str, np.ndarray]]:
    from emo_people.networks.pool_pictures import render_faceless
    from emo_people.rendering.studio import Studio

    studio = Studio()
    for seed in range(PEOPLE, PEOPLE + RENDERED):
        picture = render_faceless(studio, seed, np.random.default_rng(seed))
        yield f"person {seed}", np.ascontiguousarray(picture[..., :3])


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8:
        picture = (255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture[..., :3]


def _part(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square of at least 128 px, or what there is of it, anywhere."""
    limit = min(picture.shape[:2])
    side = int(rng.integers(min(SMALLEST_PART, limit), limit + 1))
    y, x = (int(rng.integers(whole - side + 1)) for whole in picture.shape[:2])
    return np.ascontiguousarray(picture[y : y + side, x : x + side])
