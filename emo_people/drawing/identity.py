"""Who a drawn avatar is: the parameters of one face, sampled from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Colour = tuple[int, int, int]
Option = TypeVar("Option")

SKIN: tuple[Colour, ...] = (
    (250, 220, 198),
    (244, 206, 178),
    (236, 194, 160),
    (226, 178, 140),
    (212, 160, 118),
    (192, 138, 98),
    (170, 116, 80),
    (146, 96, 64),
    (122, 78, 54),
    (98, 64, 46),
)
HAIR: tuple[Colour, ...] = (
    (38, 32, 36),
    (58, 42, 38),
    (84, 56, 42),
    (116, 76, 50),
    (150, 92, 52),
    (172, 78, 44),
    (206, 158, 90),
    (228, 192, 128),
    (76, 84, 128),
    (178, 88, 122),
)
GREY: tuple[Colour, ...] = ((150, 148, 150), (196, 194, 194), (226, 222, 216))
IRIS: tuple[Colour, ...] = (
    (74, 48, 34),
    (98, 62, 38),
    (128, 88, 46),
    (84, 116, 76),
    (70, 112, 150),
    (96, 120, 134),
)
LIPS: tuple[Colour, ...] = ((196, 92, 92), (182, 72, 84), (206, 104, 96), (168, 62, 74))
CLOTHES: tuple[Colour, ...] = (
    (58, 84, 128),
    (206, 92, 80),
    (238, 226, 206),
    (72, 122, 104),
    (230, 176, 84),
    (92, 72, 112),
    (52, 56, 68),
    (176, 196, 214),
    (214, 142, 152),
    (124, 136, 86),
)
BACKGROUND: tuple[Colour, ...] = (
    (244, 214, 188),
    (190, 218, 226),
    (206, 222, 196),
    (226, 204, 226),
    (246, 228, 168),
    (150, 184, 204),
    (236, 176, 160),
    (126, 164, 158),
    (172, 164, 206),
    (98, 118, 152),
    (232, 232, 228),
    (216, 152, 124),
)
HAIR_STYLES = ("bald", "short", "side", "quiff", "curly", "bob", "long", "bun")
GLASSES = ("none", "round", "square")
BEARDS = ("none", "stubble", "goatee", "full", "moustache")
CLOTHES_STYLES = ("crew", "vneck", "collar", "hoodie")
BACKGROUND_STYLES = ("flat", "gradient", "blobs", "stripes")


@dataclass(frozen=True)
class Identity:
    """One face. Lengths are fractions of the image width, colours 0..255 RGB, the rest is 0..1 or -1..1."""

    skin: Colour
    head_width: float  # half the width of the face without ears
    face_height: float  # hairline to chin
    skull: float  # hairline to the top of the skull
    jaw: float
    chin: float
    cheek: float
    ear_size: float
    ear_y: float
    hair_style: str
    hair: Colour
    hair_volume: float
    hair_part: float
    hairline: float
    brow_colour: Colour
    brow_thickness: float
    brow_arch: float
    brow_height: float
    eye_size: float  # width of one eye as a fraction of the face's width
    eye_open: float
    eye_spacing: float
    eye_tilt: float
    eye_y: float
    iris: Colour
    iris_size: float
    lashes: float
    nose_length: float
    nose_width: float
    lip_colour: Colour
    lip_upper: float
    lip_lower: float
    mouth_width: float  # at rest, as a fraction of the face's width
    mouth_height: float  # largest opening between the lips, as a fraction of the face's height
    mouth_y: float
    smile: float
    teeth: Colour
    glasses: str
    glasses_colour: Colour
    beard: str
    freckles: bool
    blush: float
    age: float
    clothes_style: str
    clothes: Colour
    clothes_trim: Colour
    background_style: str
    background: tuple[Colour, Colour, Colour]
    background_phase: float
    light_x: float
    light_strength: float
    warmth: float
    scale: float
    offset_x: float
    offset_y: float


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """The colour `amount` of the way from a to b."""
    red, green, blue = (int(round(p + (q - p) * amount)) for p, q in zip(a, b, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """The colour with its brightness multiplied, clipped to 0..255."""
    red, green, blue = (int(min(255, round(c * factor))) for c in colour)
    return red, green, blue


def random_identity(seed: int) -> Identity:
    """The identity of a seed; equal seeds give equal identities."""
    rng = np.random.default_rng(seed)
    femme = rng.random()
    age = rng.random()
    skin = _between(rng, SKIN)
    hair = _hair_colour(rng, age, skin)
    return Identity(
        skin=skin,
        age=age,
        hair=hair,
        hair_style=_hair_style(rng, femme),
        beard=_beard(rng, femme),
        brow_colour=mix(shade(hair, 0.72), (60, 44, 40), 0.3),
        **_head(rng, femme),
        **_eyes(rng, femme),
        **_mouth(rng, femme, skin),
        **_dress(rng),
        **_scene(rng),
    )


def _pick(rng: np.random.Generator, options: tuple[Option, ...], p: Sequence[float] | None = None) -> Option:
    return options[int(rng.choice(len(options), p=p))]


def _between(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    at = rng.random() * (len(colours) - 1.001)
    return mix(colours[int(at)], colours[int(at) + 1], at % 1)


def _jitter(rng: np.random.Generator, colour: Colour, spread: float = 10) -> Colour:
    red, green, blue = (int(np.clip(c + rng.uniform(-spread, spread), 0, 255)) for c in colour)
    return red, green, blue


def _hair_colour(rng: np.random.Generator, age: float, skin: Colour) -> Colour:
    if age > 0.8:
        return _jitter(rng, _pick(rng, GREY), 6)
    dark = sum(skin) < 400
    return _jitter(rng, _pick(rng, HAIR[:3] if dark and rng.random() < 0.8 else HAIR), 8)


def _hair_style(rng: np.random.Generator, femme: float) -> str:
    weights = (
        np.array([0.3, 1, 1, 1, 1, 2, 2, 2]) if femme > 0.5 else np.array([1.6, 2, 2, 2, 1.4, 0.3, 0.5, 0.3])
    )
    return _pick(rng, HAIR_STYLES, (weights / weights.sum()).tolist())


def _beard(rng: np.random.Generator, femme: float) -> str:
    worn = femme < 0.45 and rng.random() < 0.38
    return _pick(rng, BEARDS[1:]) if worn else "none"


def _head(rng: np.random.Generator, femme: float) -> dict[str, Any]:
    u = rng.uniform
    return {
        "head_width": u(0.264, 0.283),
        "face_height": u(0.61, 0.655),
        "skull": u(0.075, 0.095),
        "jaw": u(0.74, 0.84) - 0.06 * femme,
        "chin": u(0.34, 0.48) - 0.08 * femme,
        "cheek": u(0.94, 0.99),
        "ear_size": u(0.85, 1.15),
        "ear_y": u(-0.01, 0.02),
        "hair_volume": u(0.7, 1.3),
        "hair_part": u(-1, 1),
        "hairline": u(-0.012, 0.012),
        "nose_length": u(0.85, 1.15),
        "nose_width": u(0.85, 1.2) - 0.12 * femme,
    }


def _eyes(rng: np.random.Generator, femme: float) -> dict[str, Any]:
    u = rng.uniform
    return {
        "brow_thickness": u(0.8, 1.25) - 0.25 * femme,
        "brow_arch": u(0.2, 1.0),
        "brow_height": u(-0.006, 0.008),
        "eye_size": u(0.20, 0.24),
        "eye_open": u(0.85, 1.15),
        "eye_spacing": u(0.45, 0.5),
        "eye_tilt": u(-0.05, 0.12),
        "eye_y": u(-0.01, 0.01),
        "iris": _jitter(rng, _pick(rng, IRIS), 8),
        "iris_size": u(0.92, 1.08),
        "lashes": 0.6 + 0.6 * femme,
        "glasses": _pick(rng, GLASSES, (0.84, 0.08, 0.08)),
        "glasses_colour": _pick(rng, ((44, 42, 50), (120, 74, 48), (150, 52, 56), (64, 84, 120))),
    }


def _mouth(rng: np.random.Generator, femme: float, skin: Colour) -> dict[str, Any]:
    u = rng.uniform
    lips = mix(_pick(rng, LIPS), shade(skin, 0.78), u(0.1, 0.3) + 0.2 * (femme < 0.5))
    return {
        "lip_colour": lips,
        "lip_upper": u(0.85, 1.15) - 0.15 * (femme < 0.5),
        "lip_lower": u(0.85, 1.2),
        "mouth_width": u(0.34, 0.385),
        "mouth_height": u(0.17, 0.195),
        "mouth_y": u(-0.006, 0.006),
        "smile": u(0.5, 1.2),
        "teeth": (244, 240, int(u(224, 238))),
    }


def _dress(rng: np.random.Generator) -> dict[str, Any]:
    main = _pick(rng, CLOTHES)
    trim = _pick(rng, tuple(c for c in CLOTHES if c != main))
    return {
        "freckles": bool(rng.random() < 0.12),
        "blush": rng.uniform(0.3, 1.0),
        "clothes_style": _pick(rng, CLOTHES_STYLES),
        "clothes": _jitter(rng, main),
        "clothes_trim": trim,
    }


def _scene(rng: np.random.Generator) -> dict[str, Any]:
    u = rng.uniform
    colours = rng.permutation(len(BACKGROUND))[:3]
    return {
        "background_style": _pick(rng, BACKGROUND_STYLES, (0.2, 0.35, 0.25, 0.2)),
        "background": tuple(_jitter(rng, BACKGROUND[i]) for i in colours),
        "background_phase": rng.random(),
        "light_x": u(-1, 1),
        "light_strength": u(0.6, 1.0),
        "warmth": u(-1, 1),
        "scale": u(0.985, 1.02),
        "offset_x": u(-0.015, 0.015),
        "offset_y": u(-0.012, 0.012),
    }
