"""Draws 2.5D avatars: parts at different depths, moved by parallax, posed and animated by a few numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from . import parts
from .face import Expression, Pose
from .features import brows, eyes, mouth
from .hair import hair_back, hair_front
from .identity import Colour, Identity, shade
from .parts import Shape

JAW_DROP = 0.034  # how far the chin falls when the mouth opens fully
OVERSAMPLE = 3
CENTRE_Y = 0.512
NECK = 0.5  # half the neck's width over half the face's
PIVOT_Y = 0.38  # neck base in head space
GRID = 96  # side of the small pictures that hold everything smooth


def render(identity: Identity, expression: Expression, pose: Pose, size: int = 128) -> np.ndarray:
    """The picture `(size, size, 3)` uint8."""
    full = size * OVERSAMPLE
    picture, mask = _scene(identity, size).copy(), Image.new("L", (full, full))
    behind, face, front = _static_shapes(identity)
    drop = JAW_DROP * expression.mouth_open
    draw, stencil = ImageDraw.Draw(picture), ImageDraw.Draw(mask)
    matrix, shift = _projection(identity, pose)
    _fill(draw, behind, matrix, shift, full, drop, stencil)
    for colour, outline in _neck(identity, pose, drop):
        draw.polygon((outline * full).ravel().tolist(), fill=colour)
        stencil.polygon((outline * full).ravel().tolist(), fill=0)
    _fill(draw, face, matrix, shift, full, drop, stencil)
    moving = eyes(identity, expression.blink) + mouth(identity, expression.mouth_open, expression.mouth_width)
    _fill(draw, moving + brows(identity, expression.brow), matrix, shift, full, 0)
    _fill(draw, front, matrix, shift, full, 0, stencil)
    return np.array(_lit(identity, picture.reduce(OVERSAMPLE), mask.reduce(OVERSAMPLE), matrix, shift, size))


def face_box(identity: Identity, pose: Pose, size: int = 128) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in pixels: ear to ear and hairline to chin, following the pose."""
    outline = np.concatenate([parts.face_outline(identity), *(s.points for s in parts.ears(identity))])
    outline = outline[outline[:, 1] >= -identity.face_height / 2]
    points = _project(outline, *_projection(identity, pose)) * size
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    return float(x0), float(y0), float(x1), float(y1)


def mouth_box(identity: Identity, pose: Pose, size: int = 128) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in pixels: a square of fixed side that holds the mouth at its widest and most open."""
    x, y = parts.mouth_centre(identity)
    reach = 0.5 * identity.mouth_height * identity.face_height
    cx, cy = _project(parts.on_face(x, y + 0.5 * reach), *_projection(identity, pose)) * size
    across = 1.4 * identity.mouth_width * identity.head_width + 0.006
    half = size * identity.scale * max(reach + 0.048, across)
    return float(cx - half), float(cy - half), float(cx + half), float(cy + half)


def head_mask(identity: Identity, pose: Pose, size: int = 128) -> np.ndarray:
    """`(size, size)` bool: every pixel that a person in this pose may touch, whatever the expression."""
    full = size * OVERSAMPLE
    mask = Image.new("L", (full, full))
    draw = ImageDraw.Draw(mask)
    matrix, shift = _projection(identity, pose)
    for drop in (0, JAW_DROP):
        for shapes in _static_shapes(identity):
            for points in _outlines(shapes, matrix, shift, full, drop):
                draw.polygon(points, fill=255)
        for _, outline in _neck(identity, pose, drop):
            draw.polygon((outline * full).ravel().tolist(), fill=255)
    for _, outline in _body(identity):
        draw.polygon((outline * full).ravel().tolist(), fill=255)
    margin = 2 * max(1, round(size / 64)) + 1
    return np.array(mask.reduce(OVERSAMPLE).filter(ImageFilter.MaxFilter(margin))) > 0


@lru_cache(maxsize=64)
def _static_shapes(i: Identity) -> tuple[list[Shape], list[Shape], list[Shape]]:
    face = [
        Shape(i.skin, parts.face_outline(i), jaw=True),
        *parts.beard(i),
        *parts.skin_marks(i),
        *parts.nose(i),
    ]
    return hair_back(i) + parts.ears(i), face, hair_front(i) + parts.glasses(i)


def _projection(i: Identity, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """`matrix (2, 3)` and `shift (2,)` from head space to fractions of the image."""
    a, b, c = np.radians((pose.yaw, pose.pitch, pose.roll))
    turn = np.array([[np.cos(a), 0, np.sin(a)], [-np.sin(a) * np.sin(b), np.cos(b), np.cos(a) * np.sin(b)]])
    roll = np.array([[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]]) * i.scale
    pivot = np.array([0, PIVOT_Y])
    centre = np.array([0.5 + i.offset_x + pose.x, CENTRE_Y + i.offset_y + pose.y])
    return roll @ turn, centre + i.scale * pivot - roll @ pivot


def _project(points: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return points @ matrix.T + shift


def _outlines(
    shapes: list[Shape], matrix: np.ndarray, shift: np.ndarray, full: int, drop: float
) -> list[list[float]]:
    """Flat pixel coordinates of each shape, all projected in one product."""
    if not shapes:
        return []
    points = np.concatenate([s.points for s in shapes])
    if drop:
        jaw = np.repeat([s.jaw for s in shapes], [len(s.points) for s in shapes])
        t = np.clip((points[:, 1] - 0.12) / 0.2, 0, 1) * jaw
        points[:, 1] += drop * t * t * (3 - 2 * t)
    flat = _project(points, matrix, shift) * full
    ends = np.cumsum([len(s.points) for s in shapes])[:-1]
    return [part.ravel().tolist() for part in np.split(flat, ends)]


def _fill(
    draw: ImageDraw.ImageDraw,
    shapes: list[Shape],
    matrix: np.ndarray,
    shift: np.ndarray,
    full: int,
    drop: float,
    stencil: ImageDraw.ImageDraw | None = None,
) -> None:
    for shape, outline in zip(shapes, _outlines(shapes, matrix, shift, full, drop), strict=True):
        draw.polygon(outline, fill=shape.colour)
        if stencil is not None:
            stencil.polygon(outline, fill=255)


def _neck(i: Identity, pose: Pose, drop: float) -> list[tuple[Colour, np.ndarray]]:
    """Neck and the chin's shadow on it; its top follows the head, its foot stays."""
    half = NECK * i.head_width
    ends = np.array([(-half, 0.2, -0.03), (half, 0.2, -0.03), (0, i.face_height / 2 + drop, 0.1)])
    left, right, chin = _project(ends, *_projection(i, pose))
    foot = 0.5 + i.offset_x
    t = np.linspace(0, 1, 13)[:, None]
    ease = t * t * (3 - 2 * t)
    a = left + (np.array([foot - half * 1.12, 1.0]) - left) * np.concatenate([ease, t], 1)
    b = right + (np.array([foot + half * 1.12, 1.0]) - right) * np.concatenate([ease, t], 1)
    top = np.searchsorted(a[:, 1], chin[1] - 0.03).clip(2, 11)
    sag = np.linspace(-1, 1, 13)
    curve = np.stack(
        [
            np.interp(sag, (-1, 1), (a[top, 0], b[top, 0])),
            np.interp(sag, (-1, 1), (a[top, 1], b[top, 1])) + 0.075 * (1 - sag**2),
        ],
        1,
    )
    shadow = np.concatenate([a[:top], curve, b[:top][::-1]])
    return [(shade(i.skin, 0.9), np.concatenate([a, b[::-1]])), (shade(i.skin, 0.74), shadow)]


def _body(i: Identity) -> list[tuple[Colour, np.ndarray]]:
    """Shoulders and clothes as outlines in fractions of the image; they never move."""
    cx, half = 0.5 + i.offset_x, NECK * i.head_width * 1.12
    slope = np.array(
        [(0, 0.86), (half * 0.95, 0.872), (half + 0.06, 0.9), (half + 0.2, 0.935), (0.56, 1.0), (0.6, 1.2)]
    )
    shoulders = np.concatenate([slope, slope[::-1] * (-1, 1)]) + (cx, 0)
    depth, band = {
        "crew": (0.965, 0.03),
        "vneck": (1.05, 0.02),
        "collar": (1.02, 0.06),
        "hoodie": (0.95, 0.075),
    }[i.clothes_style]
    pointed = 1.25 if i.clothes_style in ("vneck", "collar") else 2.2
    skin, border = (
        _neckline(cx, half + wide, low, pointed)
        for wide, low in ((0.012, depth), (0.012 + band, depth + band))
    )
    return [(i.clothes, shoulders), (i.clothes_trim, border), (shade(i.skin, 0.9), skin)]


def _neckline(cx: float, half: float, depth: float, power: float) -> np.ndarray:
    t = np.linspace(-1, 1, 25)
    return np.stack([cx + half * t, 0.875 + (depth - 0.875) * (1 - np.abs(t) ** power) ** 0.8], 1)


@lru_cache(maxsize=32)
def _scene(i: Identity, size: int) -> Image.Image:
    """Background and body at the drawing resolution."""
    full = size * OVERSAMPLE
    picture = Image.fromarray(_background(i)).resize((full, full), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for colour, outline in _body(i):
        draw.polygon((outline * full).ravel().tolist(), fill=colour)
    return picture


def _background(i: Identity) -> np.ndarray:
    """A smooth picture `(GRID, GRID, 3)` uint8."""
    a, b, c = (np.array(colour, float) for colour in i.background)
    y, x = np.mgrid[0:GRID, 0:GRID] / (GRID - 1)
    angle = 2 * np.pi * i.background_phase
    along = ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle))[..., None]
    if i.background_style == "flat":
        out = a * (1 - 0.12 * y[..., None])
    elif i.background_style == "gradient":
        out = a + (b - a) * np.clip(along + 0.5, 0, 1)
    elif i.background_style == "stripes":
        wave = 0.5 + 0.5 * np.tanh(2 * np.sin(2 * np.pi * 2.2 * along + angle))
        out = a + 0.55 * (b - a) * wave
    else:
        out = np.broadcast_to(a, (GRID, GRID, 3))
        for k, colour in enumerate((b, c, b)):
            cx, cy = 0.5 + 0.46 * np.cos(angle + 2.2 * k), 0.42 + 0.42 * np.sin(angle + 2.2 * k)
            near = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 0.17**2))[..., None]
            out = out + (colour - out) * 0.75 * near
    return out.clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def _light(i: Identity) -> Image.Image:
    """The head's light map over head space -0.6 .. 0.6, multiplied in: form shadow, warmth and blush."""
    y, x = (np.mgrid[0:GRID, 0:GRID] + 0.5) / GRID * 1.2 - 0.6
    lean = 0.12 * i.light_x
    form = np.clip(((x - lean) / 0.36) ** 2 + ((y + 0.1) / 0.5) ** 2, 0, 1.6)
    dark = i.light_strength * 0.2 * form
    tint = np.array([0.85, 1.0, 1.1 + 0.25 * i.warmth])
    out = 1 - dark[..., None] * tint
    for side in (-1, 1):
        cheek = np.exp(-(((x - side * 0.155) / 0.062) ** 2 + ((y - 0.085) / 0.052) ** 2))
        out = out * (1 - 0.17 * i.blush * cheek[..., None] * np.array([0.15, 1.0, 0.85]))
    return Image.fromarray((out.clip(0, 1) * 255).astype(np.uint8))


def _lit(
    i: Identity, picture: Image.Image, mask: Image.Image, matrix: np.ndarray, shift: np.ndarray, size: int
) -> Image.Image:
    """The head under its light map, which follows the head as a plane at the depth of the cheeks."""
    plane = matrix[:, :2]
    inverse = np.linalg.inv(plane) * (GRID / 1.2)
    origin = -inverse @ (shift + matrix[:, 2] * 0.12) + GRID / 2
    (a, b), (d, e) = inverse / size
    light = _light(i).transform(
        (size, size),
        Image.Transform.AFFINE,
        (a, b, origin[0], d, e, origin[1]),
        Image.Resampling.BILINEAR,
        fillcolor=(200, 200, 200),
    )
    picture.paste(ImageChops.multiply(picture, light), mask=mask)
    return picture
