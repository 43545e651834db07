"""Portraits made harder: turned, far away, cut by the edge, dark, masked; what is true moves with them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from emo_modules.cues.box import Box
from emo_training.perception.mesh_points import face_box, ibug_points

UHD = (3840, 2160)
HD = (1920, 1080)
FAR = 0.2  # of a picture's height: the face in one of 4K
OUTSIDE = 1 / 3  # of the face, where it is cut
DIM, NOISE = 0.05, 2.0  # share of the light that is left; sigma of the camera's noise, of 255
SPREAD = 16  # how often larger a blurred background is than the picture it comes from


@dataclass(frozen=True)
class View:
    """A picture (H, W, 3) uint8 and where MediaPipe's mesh (478, 2) of its face is, in px."""

    picture: np.ndarray
    mesh: np.ndarray

    @property
    def box(self) -> Box:
        """The part of the face's box that is in the picture."""
        return Box(*face_box(self.mesh).tolist()).clipped(*self.picture.shape[1::-1])

    @property
    def points(self) -> np.ndarray:
        """iBUG's points (68, 2)."""
        return ibug_points(self.mesh)

    @property
    def inside(self) -> np.ndarray:
        """(68,) bool: which of them the picture shows."""
        places, size = self.points, np.array(self.picture.shape[1::-1])
        return np.all((places >= 0) & (places < size), axis=1)


Condition = Callable[[View, np.random.Generator], View]


def turn(view: View, degrees: float) -> View:
    """Clockwise; the picture grows so that nothing is lost, and is filled up with its edges' mean colour."""
    height, width = view.picture.shape[:2]
    edge = np.concatenate([view.picture[[0, -1]].reshape(-1, 3), view.picture[:, [0, -1]].reshape(-1, 3)])
    turned = Image.fromarray(view.picture).rotate(
        -degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=tuple(edge.mean(0).astype(int).tolist())
    )
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    away = view.mesh - (width / 2, height / 2)
    mesh = away @ np.array([[cos, sin], [-sin, cos]]) + (turned.width / 2, turned.height / 2)
    return View(np.array(turned), mesh)


def turned(degrees: float) -> Condition:
    """To either side."""
    return lambda view, rng: turn(view, degrees * rng.choice([-1, 1]))


def far(view: View, rng: np.random.Generator, size: tuple[int, int] = UHD, share: float = FAR) -> View:
    """Anywhere in a picture of that size whose background is out of focus, the face `share` of its height."""
    scale = share * size[1] / view.box.height
    sides = [
        min(round(side * scale), limit) for side, limit in zip(view.picture.shape[1::-1], size, strict=True)
    ]
    small = resized(view, scale)
    place = [int(rng.integers(limit - side + 1)) for side, limit in zip(sides, size, strict=True)]
    canvas = Image.fromarray(out_of_focus(size))
    canvas.paste(Image.fromarray(small.picture), (place[0], place[1]))
    return View(np.array(canvas), small.mesh + place)


def resized(view: View, scale: float) -> View:
    height, width = view.picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(view.picture).resize(size, Image.Resampling.LANCZOS)
    return View(np.array(picture), view.mesh * (size[0] / width, size[1] / height))


@cache
def out_of_focus(size: tuple[int, int]) -> np.ndarray:
    """A garage (H, W, 3), blurred."""
    from skimage import data

    picture = Image.fromarray(data.stereo_motorcycle()[0]).convert("RGB")
    small = picture.resize((size[0] // SPREAD, size[1] // SPREAD), Image.Resampling.LANCZOS)
    return np.array(small.filter(ImageFilter.GaussianBlur(1)).resize(size, Image.Resampling.BICUBIC))


def cut(view: View, rng: np.random.Generator) -> View:
    """A third of the face's width or height lies outside the picture."""
    (height, width), box = view.picture.shape[:2], Box(*face_box(view.mesh).tolist())
    x, y = box.width * OUTSIDE, box.height * OUTSIDE
    x0, y0, x1, y1 = (
        (math.ceil(max(box.x0 + x, 0)), 0, width, height),
        (0, 0, math.floor(min(box.x1 - x, width)), height),
        (0, math.ceil(max(box.y0 + y, 0)), width, height),
        (0, 0, width, math.floor(min(box.y1 - y, height))),
    )[int(rng.integers(4))]
    return View(view.picture[y0:y1, x0:x1], view.mesh - (x0, y0))


def dark(view: View, rng: np.random.Generator) -> View:
    light = (view.picture / 255.0) ** 2.2 * DIM
    noisy = 255 * light ** (1 / 2.2) + rng.normal(0, NOISE, view.picture.shape)
    return replace(view, picture=noisy.round().clip(0, 255).astype(np.uint8))


def masked(view: View, rng: np.random.Generator) -> View:
    """A mask from the bridge of the nose to below the chin, in a colour by dice."""
    points = view.points
    outline = [*points[2:15], (points[14] + points[35]) / 2, points[28], (points[2] + points[31]) / 2]
    picture = Image.fromarray(view.picture)
    drawing = ImageDraw.Draw(picture)
    colour = tuple(rng.integers(90, 256, 3).tolist())
    drawing.polygon([(float(x), float(y)) for x, y in outline], fill=colour)
    width = max(1, round(np.linalg.norm(points[45] - points[36]) / 60))
    for low, high in ((2, 31), (14, 35)):
        drawing.line([*map(tuple, points[[low, high]].tolist())], fill=(60, 60, 60), width=width)
    return replace(view, picture=np.array(picture))


CONDITIONS: dict[str, Condition] = {
    "upright": lambda view, rng: view,
    "turned by 30": turned(30),
    "turned by 90": turned(90),
    "turned by 180": turned(180),
    "a fifth of 4K": far,
    "cut by the edge": cut,
    "dark": dark,
    "masked": masked,
}
