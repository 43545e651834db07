"""Trains the small network that detection asks for drawn faces (media/drawn_faces.safetensors)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from emo_modules.cues.finder import DRAWN_WIDTHS, FaceFinder
from emo_modules.writing.partial import whole_file

from .tracker import finder_loss, fit, fresh
from .tracker_pictures import Pool, Scenes

# Of scikit-image's own pictures; coffee, cat and others are left to check with.
TEXTURES = (
    *("brick", "camera", "coins", "grass", "gravel"),
    *("hubble_deep_field", "moon", "page", "rocket", "text"),
)
RATES = (3e-3, 2e-3, 3e-3)  # of the rounds


def train_finder(
    seed: int = 0,
    people: int = 1000,
    views: int = 6,
    steps: tuple[int, ...] = (700, 700, 3000),
    log: Callable[[str], None] = print,
) -> FaceFinder:
    """Draws the people and fits the network in rounds of `steps`; the defaults made the one that comes with
    the package, in 20 minutes of one core."""
    pool = Pool.draw(people, views, seed)
    log(f"finder: drew {people} people in {views} views")
    finder, textures = fresh(partial(FaceFinder, DRAWN_WIDTHS), seed), _textures()
    for k, (count, rate) in enumerate(zip(steps, RATES, strict=True)):
        scenes = Scenes(pool, seed + k, textures)
        fit(finder, partial(finder_loss, finder, scenes), count, rate, "finder", log)
    return finder


def save_finder(finder: FaceFinder, path: Path) -> None:
    """Half precision safetensors, without the counters that only training reads."""
    state = finder.state_dict().items()
    tensors = {n: v.half().contiguous() for n, v in state if not n.endswith("num_batches_tracked")}
    with whole_file(path) as unfinished:
        save_file(tensors, unfinished)


def _textures() -> list[np.ndarray]:
    from skimage import data
    from skimage.color import gray2rgb

    pictures = [getattr(data, name)() for name in TEXTURES]
    return [gray2rgb(picture) if picture.ndim == 2 else picture for picture in pictures]
