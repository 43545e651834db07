"""The light that falls on a person: up to three lamps and an environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Vector = tuple[float, float, float]
MAX_LAMPS = 3
# Wavelengths in metres that stand for red, green and blue.
WAVELENGTHS = np.array([610e-9, 550e-9, 465e-9])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
# Directions that a face shows to the camera, and how much of it each stands for.
FACING = np.array([(0, 0, 1), (0.6, 0, 0.8), (-0.6, 0, 0.8), (0, 0.6, 0.8), (0, -0.6, 0.8)])
FACING_WEIGHTS = np.array([0.4, 0.15, 0.15, 0.15, 0.15])


@dataclass(frozen=True)
class Lamp:
    """A distant light.

    direction: unit vector from the head towards the light; x right, y up, z to the viewer.
    colour: linear RGB, its strength included: what a white card that faces the light sends back.
    softness: 0 a point, 1 as wide as a side of the room.
    """

    direction: Vector
    colour: Vector
    softness: float

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.direction))
        if abs(length - 1) > 1e-3:
            raise ValueError(f"a lamp's direction has length 1, got {length:.3f}; divide by its length")
        if not 0 <= self.softness <= 1:
            raise ValueError(f"a lamp's softness lies in 0..1, got {self.softness}")


@dataclass(frozen=True)
class Lights:
    """What lights a scene, exposed so that a white card facing the camera is 0.7 to 1.

    kind: the name of the arrangement, for whoever looks at sheets.
    environment: irradiance as nine spherical harmonics (1, then y z x, then xy yz z2 xz xx-yy) in linear RGB,
    as in "An Efficient Representation for Irradiance Environment Maps" (Ramamoorthi and Hanrahan 2001).
    """

    kind: str
    lamps: tuple[Lamp, ...]
    environment: tuple[Vector, ...]

    def __post_init__(self) -> None:
        if len(self.lamps) > MAX_LAMPS:
            raise ValueError(f"at most {MAX_LAMPS} lamps light a scene, got {len(self.lamps)}")
        if len(self.environment) != 9:
            raise ValueError(f"an environment has 9 coefficients, got {len(self.environment)}")

    @property
    def sky(self) -> Vector:
        """Environment light on a surface that looks up, linear RGB."""
        return _vector(self.ambient(np.array([(0, 1, 0)]))[0])

    @property
    def ground(self) -> Vector:
        """Environment light on a surface that looks down, linear RGB."""
        return _vector(self.ambient(np.array([(0, -1, 0)]))[0])

    def ambient(self, normals: np.ndarray) -> np.ndarray:
        """Light of the environment alone on unit normals (N, 3): (N, 3) linear RGB."""
        return np.maximum(harmonics(normals) @ np.array(self.environment), 0)

    def irradiance(self, normals: np.ndarray) -> np.ndarray:
        """All light on unit normals (N, 3): (N, 3) linear RGB."""
        return self.ambient(normals) + _direct(self.lamps, normals)


def harmonics(normals: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics without their constants at unit normals (N, 3): (N, 9)."""
    x, y, z = normals.T
    return np.stack([x**0, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)


def white(kelvin: float) -> np.ndarray:
    """Linear RGB (3,) of a black body's light, luminance 1; 6500 K is white."""
    planck = np.expm1(0.014388 / WAVELENGTHS / 6500) / np.expm1(0.014388 / WAVELENGTHS / kelvin)
    return planck / (planck @ LUMINANCE)


def random_lights(rng: np.random.Generator) -> Lights:
    """One of the arrangements below."""
    kind = str(rng.choice(list(KINDS), p=WEIGHTS))
    return arrange(kind, rng)


def arrange(kind: str, rng: np.random.Generator) -> Lights:
    """An arrangement of a given kind, as bright and about as neutral as a camera would make it."""
    if kind not in KINDS:
        raise ValueError(f"no lights of kind {kind!r}; there are {', '.join(KINDS)}")
    lamps, environment = KINDS[kind](rng)
    light = Lights(kind, tuple(lamps), _coefficients(environment))
    seen = FACING_WEIGHTS @ light.irradiance(FACING)
    brightness = seen @ LUMINANCE
    neutral = (brightness / np.maximum(seen, 0.2 * brightness)) ** rng.uniform(0.3, 0.9)
    return _scaled(light, rng.uniform(0.7, 1.0) / brightness * neutral / (neutral @ LUMINANCE))


def toward(azimuth: float, elevation: float) -> Vector:
    """Unit vector from degrees: azimuth 0 at the camera, 90 at the viewer's right, 180 behind the head."""
    a, e = np.radians((azimuth, elevation))
    return _vector(np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]))


Arrangement = tuple[list[Lamp], np.ndarray]


def _studio(rng: np.random.Generator) -> Arrangement:
    side, colour = _side(rng), white(rng.uniform(4800, 6500))
    key = _lamp(side * rng.uniform(20, 55), rng.uniform(15, 50), colour, rng.uniform(0.25, 0.8))
    fill = _lamp(-side * rng.uniform(30, 70), rng.uniform(-5, 20), colour * rng.uniform(0.1, 0.5), 0.9)
    rim = _lamp(-side * rng.uniform(130, 165), rng.uniform(20, 50), colour * rng.uniform(0, 1.2), 0.2)
    return [key, fill, rim], _hemisphere(rng, colour * 0.3, colour * rng.uniform(0.08, 0.2))


def _window(rng: np.random.Generator) -> Arrangement:
    side = _side(rng)
    key = _lamp(side * rng.uniform(45, 95), rng.uniform(0, 30), white(rng.uniform(6000, 8500)), 1.0)
    room = white(rng.uniform(3200, 5500)) * rng.uniform(0.15, 0.45)
    return [key], _hemisphere(rng, room, room * rng.uniform(0.5, 0.9))


def _sun(rng: np.random.Generator) -> Arrangement:
    elevation = rng.uniform(10, 65)
    sun = _lamp(
        _side(rng) * rng.uniform(0, 80), elevation, white(3600 + 35 * elevation), rng.uniform(0, 0.12)
    )
    sky = white(rng.uniform(7500, 11000)) * rng.uniform(0.2, 0.5)
    return [sun], _hemisphere(rng, sky, _earth(rng) * rng.uniform(0.15, 0.4))


def _overcast(rng: np.random.Generator) -> Arrangement:
    sky = white(rng.uniform(6200, 8000))
    key = _lamp(rng.uniform(-90, 90), rng.uniform(40, 80), sky * rng.uniform(0.1, 0.4), 1.0)
    return [key], _hemisphere(rng, sky, _earth(rng) * rng.uniform(0.3, 0.6))


def _ceiling(rng: np.random.Generator) -> Arrangement:
    colour = white(rng.uniform(3000, 6500)) * (1, rng.uniform(1.0, 1.06), 1)
    lamps = [_lamp(_side(rng) * rng.uniform(0, 60), rng.uniform(45, 75), colour, rng.uniform(0.4, 0.9))]
    lamps.append(_lamp(rng.uniform(110, 250), rng.uniform(40, 65), colour * rng.uniform(0.2, 0.8), 0.6))
    return lamps, _hemisphere(rng, colour * 0.4, colour * _earth(rng) * rng.uniform(0.2, 0.5))


def _front(rng: np.random.Generator) -> Arrangement:
    """A ring light, a laptop's screen or a flash beside the lens."""
    colour = white(rng.uniform(4000, 8000))
    key = _lamp(rng.uniform(-12, 12), rng.uniform(-10, 15), colour, rng.uniform(0, 0.6))
    room = white(rng.uniform(2800, 6500)) * rng.uniform(0.02, 0.4)
    return [key], _hemisphere(rng, room, room * 0.7)


def _half(rng: np.random.Generator) -> Arrangement:
    """One side bright, one dark."""
    side, colour = _side(rng), white(rng.uniform(3200, 7000))
    key = _lamp(side * rng.uniform(65, 105), rng.uniform(0, 35), colour, rng.uniform(0.1, 0.6))
    return [key], _hemisphere(rng, colour * rng.uniform(0.05, 0.2), colour * 0.08)


def _back(rng: np.random.Generator) -> Arrangement:
    """The sun or a window behind the head: bright edges, the face in soft light."""
    colour = white(rng.uniform(3200, 7000))
    sides = _side(rng) * np.array([rng.uniform(125, 170), -rng.uniform(125, 170)])
    lamps = [
        _lamp(a, rng.uniform(10, 45), colour * rng.uniform(0.6, 2.0), rng.uniform(0, 0.4)) for a in sides
    ]
    lamps.append(_lamp(rng.uniform(-40, 40), rng.uniform(0, 30), white(6500) * rng.uniform(0.1, 0.5), 1.0))
    room = white(rng.uniform(5000, 8000)) * rng.uniform(0.4, 0.7)
    return lamps[: rng.integers(1, 4)], _hemisphere(rng, room, room * rng.uniform(0.5, 0.9))


def _below(rng: np.random.Generator) -> Arrangement:
    """A screen, a fire or candles under the chin."""
    colour = white(rng.choice([2000.0, 2600.0, 7500.0, 9000.0]))
    key = _lamp(rng.uniform(-50, 50), rng.uniform(-55, -15), colour, rng.uniform(0.2, 0.8))
    room = white(rng.uniform(3000, 9000)) * rng.uniform(0.1, 0.4)
    return [key], _hemisphere(rng, room, room)


def _evening(rng: np.random.Generator) -> Arrangement:
    """One warm lamp in a dim room."""
    colour = white(rng.uniform(2300, 3200))
    key = _lamp(_side(rng) * rng.uniform(20, 100), rng.uniform(0, 50), colour, rng.uniform(0.2, 0.7))
    return [key], _hemisphere(rng, colour * rng.uniform(0.1, 0.4), colour * rng.uniform(0.1, 0.25))


def _neon(rng: np.random.Generator) -> Arrangement:
    """Two strong colours from two sides."""
    side, hue = _side(rng), rng.uniform()
    key = _lamp(side * rng.uniform(30, 100), rng.uniform(-10, 40), _hue(hue, rng.uniform(0.4, 0.8)), 0.6)
    other = _hue(hue + rng.uniform(0.25, 0.6), rng.uniform(0.4, 0.9)) * rng.uniform(0.3, 1)
    lamps = [key, _lamp(-side * rng.uniform(50, 150), rng.uniform(-10, 40), other, 0.5)]
    return lamps, _hemisphere(rng, white(6500) * rng.uniform(0.1, 0.35), other * 0.15)


KINDS: dict[str, Callable[[np.random.Generator], Arrangement]] = {
    "studio": _studio,
    "window": _window,
    "sun": _sun,
    "overcast": _overcast,
    "ceiling": _ceiling,
    "front": _front,
    "half": _half,
    "back": _back,
    "below": _below,
    "evening": _evening,
    "neon": _neon,
}
WEIGHTS = np.array([20, 14, 10, 12, 13, 10, 5, 6, 2, 5, 3]) / 100


def _lamp(azimuth: float, elevation: float, colour: np.ndarray, softness: float) -> Lamp:
    return Lamp(toward(azimuth, elevation), _vector(colour), float(softness))


def _side(rng: np.random.Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


def _earth(rng: np.random.Generator) -> np.ndarray:
    """The tint that grass, sand, wood or asphalt throws back."""
    tints = np.array([(1.05, 1.0, 0.85), (0.85, 1.05, 0.7), (1.2, 0.98, 0.75), (1, 1, 1)])
    return tints[rng.integers(len(tints))]


def _hue(hue: float, saturation: float) -> np.ndarray:
    """Linear RGB of a hue 0..1, luminance 1 before it is saturated."""
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue - np.arange(3) / 3))
    return 1 - saturation + saturation * wheel / max(float(wheel @ LUMINANCE), 0.25)


def _hemisphere(rng: np.random.Generator, sky: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(9, 3): sky above, ground below, uneven to all sides as rooms and streets are."""
    coefficients = (
        rng.normal(0, 1, (9, 1)) * np.array([0, 0, 2, 2, 1, 1, 0.6, 1, 1])[:, None] * 0.06 * (sky + ground)
    )
    coefficients[0] += (sky + ground) / 2
    coefficients[1] += (sky - ground) / 2
    return coefficients


def _direct(lamps: tuple[Lamp, ...], normals: np.ndarray) -> np.ndarray:
    """Light of the lamps as light.glsl has it; a soft one reaches round to what faces away from it."""
    total = np.zeros((len(normals), 3))
    for lamp in lamps:
        cosine = (normals @ np.array(lamp.direction) + lamp.softness) / (1 + lamp.softness)
        total += (np.maximum(cosine, 0) ** 2)[:, None] * np.array(lamp.colour)
    return total


def _scaled(light: Lights, factor: np.ndarray) -> Lights:
    lamps = (
        Lamp(lamp.direction, _vector(np.array(lamp.colour) * factor), lamp.softness) for lamp in light.lamps
    )
    return Lights(light.kind, tuple(lamps), _coefficients(np.array(light.environment) * factor))


def _coefficients(environment: np.ndarray) -> tuple[Vector, ...]:
    return tuple(_vector(row) for row in environment)


def _vector(values: np.ndarray) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
