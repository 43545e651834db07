"""Trains the small network that detection asks for drawn faces (emo_modules/cues/drawn_faces.safetensors)."""

from functools import partial

import numpy as np

from emo_modules.cues.finder import DRAWN_WIDTHS, FaceFinder

from .fit import Log, OneCycle, channels_last, create_net, fit
from .textures import draw_texture
from .tracker import finder_loss
from .tracker_pictures import HeadSamples, Scenes

TEXTURES = 60
RATES = (3e-3, 2e-3, 3e-3)  # of the rounds


def train_finder(
    seed: int = 0,
    people: int = 1000,
    views: int = 6,
    steps: tuple[int, ...] = (700, 700, 3000),
    log: Log = print,
) -> FaceFinder:
    """Draws the people and fits the network in rounds of `steps`, in 20 minutes of one core.

    The network that comes with the package had parts of ten photographs of scikit-image's in place of the
    textures.
    """
    pool = HeadSamples.draw(people, views, seed)
    log(f"finder: drew {people} people in {views} views")
    finder = channels_last(create_net(partial(FaceFinder, DRAWN_WIDTHS), seed))
    rng = np.random.default_rng([seed, 2])
    textures = [draw_texture(rng) for _ in range(TEXTURES)]
    for k, (count, rate) in enumerate(zip(steps, RATES, strict=True)):
        scenes = Scenes(pool, seed + k, textures)
        fit(finder, partial(finder_loss, finder, scenes), OneCycle(count, rate), "finder", log)
    return finder
