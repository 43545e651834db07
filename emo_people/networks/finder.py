"""Trains the small network that detection asks for drawn faces (emo_modules/cues/drawn_faces.safetensors)."""

from functools import partial

import numpy as np

from emo_modules.cues.finder import DRAWN_WIDTHS, FaceFinder

from .fit import Log, OneCycle, channels_last, create_net, fit
from .tracker import finder_loss
from .tracker_pictures import HeadSamples, Scenes

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
    log: Log = print,
) -> FaceFinder:
    """Draws the people and fits the network in rounds of `steps`; the defaults made the one that comes with
    the package, in 20 minutes of one core."""
    pool = HeadSamples.draw(people, views, seed)
    log(f"finder: drew {people} people in {views} views")
    finder = channels_last(create_net(partial(FaceFinder, DRAWN_WIDTHS), seed))
    textures = _textures()
    for k, (count, rate) in enumerate(zip(steps, RATES, strict=True)):
        scenes = Scenes(pool, seed + k, textures)
        fit(finder, partial(finder_loss, finder, scenes), OneCycle(count, rate), "finder", log)
    return finder


def _textures() -> list[np.ndarray]:
    from skimage import data
    from skimage.color import gray2rgb

    pictures = [getattr(data, name)() for name in TEXTURES]
    return [gray2rgb(picture) if picture.ndim == 2 else picture for picture in pictures]
