"""Where a person is photographed: the light, what stands behind, and the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .background import Background, draw, random_background
from .camera import Camera, Colour, random_camera
from .lights import LUMINANCE, Lights, random_lights

# Skin that no camera corrects for, the share of the difference that it corrects, and the most, in stops.
MIDDLE_SKIN, EXPOSED_FOR, MOST_STOPS = 0.33, 0.4, (-0.3, 0.9)


@dataclass(frozen=True)
class Scene:
    """The same for all pictures of a clip."""

    lights: Lights
    background: Background
    camera: Camera

    def behind(self, width: int, height: int) -> np.ndarray:
        """(height, width, 3) float32, linear: what is seen where the person is not. It is drawn once."""
        return _drawn(self.background, self.lights, width, height)

    def camera_for(self, skin: Colour) -> Camera:
        """The camera, exposed for a face of this linear RGB, though not all the way."""
        stops = EXPOSED_FOR * np.log2(MIDDLE_SKIN / (np.array(skin) @ LUMINANCE))
        return replace(self.camera, exposure=self.camera.exposure + float(np.clip(stops, *MOST_STOPS)))


@lru_cache(maxsize=64)
def random_scene(seed: int) -> Scene:
    """The scene of a seed; a person's own is that of the person's seed."""

    def dice(part: int) -> np.random.Generator:
        return np.random.default_rng([seed, part])

    lights = random_lights(dice(100))
    return Scene(lights, random_background(dice(101), lights), random_camera(dice(102)))


@lru_cache(maxsize=2)
def _drawn(background: Background, lights: Lights, width: int, height: int) -> np.ndarray:
    pixels = draw(background, lights, width, height)
    pixels.flags.writeable = False
    return pixels
