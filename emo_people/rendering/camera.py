"""Which camera takes a picture, and what its owner does to it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Colour = tuple[float, float, float]
CODECS = ("none", "jpeg", "webp")
REC709: Colour = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Look:
    """How colours come out, in display values 0..1: greyed by `weights`, spread between two colours."""

    name: str = "colour"
    weights: Colour = REC709
    saturation: float = 1.0
    contrast: float = 0.0  # -1 flat .. 1 steep
    gamma: float = 1.0  # above 1 darker middle tones
    shadows: Colour = (0.0, 0.0, 0.0)
    highlights: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Camera:
    """Constants of a clip; only the noise differs between frames, and follows from the seed and the frame.

    exposure: stops; balance: gains of linear RGB; vignette: light lost in the corners, 0..1.
    blur: standard deviation of the lens's softness in pixels; fringe: red larger than blue, by this share.
    glare: share of the picture's light that veils all of it.
    shutter: share of a frame's time that it is open, for motion blur.
    shot: variance of the noise per unit of light; read: its standard deviation in the dark, both linear.
    grain: 0 fine noise .. 1 in blotches.
    detail: the sensor's resolution over the picture's; smoothing: the noise reduction's, 0..1.
    sharpening: strength of the halo along edges; quality: of the codec, 1..100.
    """

    seed: int = 0
    exposure: float = 0.0
    balance: Colour = (1.0, 1.0, 1.0)
    vignette: float = 0.0
    blur: float = 0.0
    fringe: float = 0.0
    glare: float = 0.0
    shutter: float = 0.0
    shot: float = 0.0
    read: float = 0.0
    grain: float = 0.0
    detail: float = 1.0
    smoothing: float = 0.0
    sharpening: float = 0.0
    look: Look = Look()
    codec: str = "none"
    quality: int = 95

    def __post_init__(self) -> None:
        if not 0.1 <= self.detail <= 1:
            raise ValueError(
                f"a camera's detail lies in 0.1..1 of the picture's resolution, got {self.detail}"
            )
        if self.codec not in CODECS:
            raise ValueError(f"no codec {self.codec!r}; there are {', '.join(CODECS)}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"a codec's quality lies in 1..100, got {self.quality}")


def random_camera(rng: np.random.Generator) -> Camera:
    """From a clean studio camera to an old webcam: most pictures a little degraded, few a lot."""
    kind = KINDS[rng.choice(len(KINDS), p=CHANCES)]
    balance = np.exp(rng.normal(0, 0.07, 3) * (1, 0.35, 1))
    camera = Camera(
        seed=int(rng.integers(2**31)),
        exposure=float(np.clip(rng.normal(0.05, 0.3), -1, 0.7)),
        balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        vignette=float(rng.choice([0, rng.uniform(0, 0.5)])),
        fringe=float(rng.choice([0, rng.uniform(0, 0.004)], p=[0.7, 0.3])),
        glare=float(rng.choice([0, rng.uniform(0, 0.08)], p=[0.6, 0.4])),
        shutter=float(rng.uniform(0, 0.6)),
        look=random_look(rng),
    )
    return kind(camera, rng)


def random_look(rng: np.random.Generator) -> Look:
    """Mostly as the camera saw it; else a filter, black and white, or an old print."""
    name = str(rng.choice(list(LOOKS), p=LOOK_CHANCES))
    return replace(LOOKS[name](rng), name=name)


def _studio(camera: Camera, rng: np.random.Generator) -> Camera:
    return replace(
        camera,
        blur=rng.uniform(0, 0.5),
        shot=_spread(rng, 1e-6, 1e-4),
        read=_spread(rng, 1e-4, 1e-3),
        sharpening=rng.uniform(0, 0.6),
        codec=str(rng.choice(CODECS)),
        quality=int(rng.integers(80, 98)),
    )


def _phone(camera: Camera, rng: np.random.Generator) -> Camera:
    return replace(
        camera,
        blur=rng.uniform(0, 0.8),
        shot=_spread(rng, 3e-5, 6e-4),
        read=_spread(rng, 5e-4, 4e-3),
        grain=rng.uniform(0, 0.6),
        detail=rng.uniform(0.6, 1),
        smoothing=rng.uniform(0, 0.8),
        sharpening=rng.uniform(0.2, 1.6),
        codec="jpeg",
        quality=int(rng.integers(50, 95)),
    )


def _webcam(camera: Camera, rng: np.random.Generator) -> Camera:
    return replace(
        camera,
        blur=rng.uniform(0.3, 1.3),
        glare=camera.glare + rng.uniform(0, 0.05),
        shot=_spread(rng, 1e-4, 2e-3),
        read=_spread(rng, 1e-3, 1e-2),
        grain=rng.uniform(0.2, 1),
        detail=rng.uniform(0.35, 0.9),
        smoothing=rng.uniform(0, 1),
        sharpening=rng.uniform(0, 1.2),
        codec=str(rng.choice(["webp", "jpeg"])),
        quality=int(rng.integers(20, 80)),
    )


def _footage(camera: Camera, rng: np.random.Generator) -> Camera:
    """Broadcast and video sites: little noise left, soft, compressed."""
    return replace(
        camera,
        blur=rng.uniform(0.2, 1.0),
        shot=_spread(rng, 1e-5, 3e-4),
        read=_spread(rng, 1e-4, 2e-3),
        grain=rng.uniform(0, 0.5),
        detail=rng.uniform(0.45, 1),
        sharpening=rng.uniform(0, 1),
        codec="webp",
        quality=int(rng.integers(25, 90)),
    )


def _film(camera: Camera, rng: np.random.Generator) -> Camera:
    return replace(
        camera,
        blur=rng.uniform(0.2, 1.1),
        shot=_spread(rng, 3e-4, 4e-3),
        read=_spread(rng, 1e-3, 1e-2),
        grain=rng.uniform(0, 0.4),
        vignette=rng.uniform(0, 0.5),
        codec=str(rng.choice(CODECS)),
        quality=int(rng.integers(60, 95)),
    )


KINDS: tuple[Callable[[Camera, np.random.Generator], Camera], ...] = (
    _studio,
    _phone,
    _webcam,
    _footage,
    _film,
)
CHANCES = (0.25, 0.27, 0.13, 0.25, 0.1)


def _colour(rng: np.random.Generator) -> Look:
    return Look(
        saturation=rng.normal(0.93, 0.12), contrast=rng.normal(0.15, 0.2), gamma=_spread(rng, 0.85, 1.15)
    )


def _mono(rng: np.random.Generator) -> Look:
    filters: tuple[Colour, ...] = (REC709, (0.33, 0.34, 0.33), (0.6, 0.3, 0.1), (0.08, 0.57, 0.35))
    return replace(
        _colour(rng), weights=filters[rng.integers(4)], saturation=0.0, contrast=rng.uniform(-0.1, 0.7)
    )


def _sepia(rng: np.random.Generator) -> Look:
    lift, warmth = rng.uniform(0.03, 0.16), rng.uniform(0.08, 0.28)
    paper = (1.0, 1 - 0.45 * warmth, 1 - warmth)
    return replace(_mono(rng), shadows=(lift, 0.7 * lift, 0.5 * lift), highlights=paper)


def _faded(rng: np.random.Generator) -> Look:
    low, high = rng.uniform(0.03, 0.16, 3), rng.uniform(0.86, 1, 3)
    return Look(
        saturation=rng.uniform(0.5, 0.9),
        contrast=rng.uniform(-0.3, 0.1),
        shadows=(float(low[0]), float(low[1]), float(low[2])),
        highlights=(float(high[0]), float(high[1]), float(high[2])),
    )


def _cinema(rng: np.random.Generator) -> Look:
    teal = rng.uniform(0.02, 0.08)
    return Look(
        saturation=rng.uniform(0.8, 1.15),
        contrast=rng.uniform(0.2, 0.7),
        shadows=(0.0, teal * 0.7, teal),
        highlights=(1.0, 0.97, rng.uniform(0.84, 0.95)),
    )


def _vivid(rng: np.random.Generator) -> Look:
    return Look(saturation=rng.uniform(1.25, 1.7), contrast=rng.uniform(0.2, 0.8))


def _bright(rng: np.random.Generator) -> Look:
    """The pale, rosy filter of phones."""
    return Look(saturation=rng.uniform(0.8, 1.05), gamma=rng.uniform(0.65, 0.85), shadows=(0.05, 0.03, 0.04))


LOOKS: dict[str, Callable[[np.random.Generator], Look]] = {
    "colour": _colour,
    "mono": _mono,
    "sepia": _sepia,
    "faded": _faded,
    "cinema": _cinema,
    "vivid": _vivid,
    "bright": _bright,
}
LOOK_CHANCES = (0.62, 0.09, 0.03, 0.07, 0.07, 0.06, 0.06)


def _spread(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly distributed in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
