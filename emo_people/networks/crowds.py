"""Pictures that the face finder learns from: rendered people at any size, place and turn, partly hidden."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from .backdrops import SIDE as BACKDROP_SIDE
from .backdrops import draw_backdrop, draw_object, random_colour
from .pool import Pool
from .textures import draw_texture

CANVAS = 96  # px
FACE_HEIGHTS = (16.0, 68.0)  # px, of most faces
CLOSE_UP = (68.0, 400.0)  # of the others: whose parts are no faces
MOST_TURN = 75.0  # degrees, of faces to be found
LYING = 105.0  # from here on a face must not be found
PLAIN, HIDDEN = 0.35, 0.05  # share of a face that is seen: it has to be found; it must not be found
SEEN = 0.6  # share of a face that hair and what is worn leave to see, by which a face counts as bare
MIRRORED_POINTS = np.array([1, 0, 2, 4, 3])


@dataclass(frozen=True)
class Labels:
    """K faces of a canvas: boxes (K, 4) and points (K, 5, 2) in px; wanted (K,), or else each may be found or
    not. outside (H, W): beyond the picture's edges."""

    boxes: np.ndarray
    points: np.ndarray
    wanted: np.ndarray
    outside: np.ndarray


@dataclass
class _Face:
    box: np.ndarray
    points: np.ndarray
    turn: float
    bare: float  # 0..1: how much of it hair and what is worn leave to see
    place: np.ndarray  # bool (H, W), of the face
    area: float  # of all of it, also outside
    seen: np.ndarray  # bool (H, W), where nothing lies before it


class Crowds:
    """Draws canvases (96, 96, 3) uint8 with no face, one or several, and their labels.

    backgrounds (N, 256, 256, 3) and faceless (N, 256, 256, 4) uint8: scenes, and people without a face;
    drawn: how many backdrops, textures and objects there are besides.
    """

    def __init__(
        self, pool: Pool, backgrounds: np.ndarray, faceless: np.ndarray, seed: int, drawn: int
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._levels = [np.concatenate([pool.picture, pool.alpha[..., None]], -1)]
        shown = self._levels[0]  # the pool's own pictures may be forgotten
        self._pool, self._faceless = replace(pool, picture=shown[..., :3], alpha=shown[..., 3]), faceless
        for _ in range(2):
            self._levels.append(np.stack([_halved(picture) for picture in self._levels[-1]]))
        patterns = [draw_backdrop(self._rng) for _ in range(drawn)]
        textures = [draw_texture(self._rng) for _ in range(drawn)]
        size = (BACKDROP_SIDE, BACKDROP_SIDE)
        rendered = [np.array(Image.fromarray(b).resize(size, Image.Resampling.BOX)) for b in backgrounds]
        self._backdrops = [patterns, textures] + [rendered] * bool(rendered)
        self._objects = [draw_object(self._rng) for _ in range(drawn)]

    def draw(self) -> tuple[np.ndarray, Labels]:
        rng, faces = self._rng, list[_Face]()
        canvas = self._place()
        for _ in range(int(rng.choice(4, p=[0.02, 0.56, 0.3, 0.12]))):
            self._paste_person(canvas, faces)
        for face in list(faces):
            if rng.random() < 0.35:
                self._hide(canvas, faces, face)
        pixels = np.array(canvas)
        outside = _beyond(rng)
        for face in faces:
            face.seen &= ~outside
        return _compressed(pixels, rng), _labels(faces, outside)

    def draw_faceless(self) -> tuple[np.ndarray, Labels]:
        outside = _beyond(self._rng)
        return _compressed(np.array(self._place()), self._rng), _labels([], outside)

    def _place(self) -> Image.Image:
        """A backdrop with things and people without a face before it, or without any."""
        rng = self._rng
        canvas = self._backdrop()
        for _ in range(int(rng.choice(3, p=[0.5, 0.3, 0.2]))):
            self._paste_object(canvas, [], rng.uniform(0, CANVAS, 2), rng.uniform(8, 100))
        if len(self._faceless) and rng.random() < 0.3:
            self._paste_faceless(canvas)
        return canvas

    def _paste_faceless(self, canvas: Image.Image) -> None:
        """Somebody who looks away or whose head is not seen, alone or with the scene behind."""
        rng = self._rng
        pixels = self._faceless[int(rng.integers(len(self._faceless)))]
        pixels = pixels[:, :: int(rng.choice([-1, 1]))]
        person = Image.fromarray(np.ascontiguousarray(pixels))
        if rng.random() < 0.4:
            person.putalpha(255)
        person = person.reduce(2).rotate(
            MOST_TURN * float(rng.uniform(-1, 1)) ** 3, Image.Resampling.BILINEAR
        )
        side = round(CANVAS * math.exp(rng.uniform(math.log(0.3), math.log(2.5))))
        person = person.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        x, y = ((CANVAS - side) / 2 + rng.uniform(-0.5, 0.5, 2) * CANVAS).round().astype(int).tolist()
        canvas.paste(person, (x, y), person)

    def _backdrop(self) -> Image.Image:
        """A random part of one, as it is or mirrored."""
        rng = self._rng
        kind = self._backdrops[int(rng.integers(len(self._backdrops)))]
        picture = kind[int(rng.integers(len(kind)))]
        side = int(rng.uniform(0.3, 1) * BACKDROP_SIDE)
        y, x = rng.integers(BACKDROP_SIDE - side + 1, size=2)
        part = Image.fromarray(picture[y : y + side, x : x + side][:, :: int(rng.choice([-1, 1]))])
        return part.resize((CANVAS, CANVAS), Image.Resampling.BILINEAR)

    def _paste_person(self, canvas: Image.Image, faces: list[_Face]) -> None:
        rng = self._rng
        k = int(rng.integers(len(self._pool)))
        close = rng.random() < 0.1
        height = float(np.exp(rng.uniform(*np.log(CLOSE_UP if close else FACE_HEIGHTS))))
        turns = (MOST_TURN * rng.uniform(-1, 1) ** 3, MOST_TURN * rng.uniform(-1, 1), rng.uniform(-180, 180))
        turn = float(turns[int(rng.choice(3, p=[0.5, 0.4, 0.1]))])
        centre = rng.uniform(-0.05, 1.05, 2) * CANVAS
        mirrored = bool(rng.random() < 0.5)
        there = _Placing.of(self._pool.box[k], height, turn, mirrored, centre)
        level = min(2, max(0, math.floor(-math.log2(there.scale))))
        source = self._levels[level][k]
        if rng.random() < 0.3:  # with its own surroundings
            source = source.copy()
            source[..., 3] = 255
        pasted = Image.fromarray(source).transform(
            canvas.size, Image.Transform.AFFINE, there.inverse(2**level), Image.Resampling.BILINEAR
        )
        self._put(canvas, pasted, faces)
        faces.append(_face(self._pool, k, there, turn, mirrored))

    def _hide(self, canvas: Image.Image, faces: list[_Face], face: _Face) -> None:
        """Something before a part of the face: a mask over the mouth, a hand, an edge, another picture."""
        rng = self._rng
        height = face.box[3] - face.box[1]
        kind = int(rng.choice(3, p=[0.4, 0.3, 0.3]))
        if kind == 0:
            self._put(canvas, _mask_over_mouth(face, canvas.size, rng), faces)
        elif kind == 1:
            place = face.points[int(rng.integers(5))] + rng.normal(0, 0.2, 2) * height
            self._paste_object(canvas, faces, place, rng.uniform(0.4, 1.3) * height)
        else:
            size = rng.uniform(0.3, 1.5, 2) * height
            away = rng.uniform(-0.5, 0.5, 2) * (height + size)
            x, y = (face.box[:2] + face.box[2:]) / 2 + away - size / 2
            part = self._backdrop()
            mask = Image.new("L", canvas.size)
            mask.paste(255, (round(x), round(y), round(x + size[0]), round(y + size[1])))
            part.putalpha(mask)
            self._put(canvas, part, faces)

    def _paste_object(self, canvas: Image.Image, faces: list[_Face], place: np.ndarray, side: float) -> None:
        thing = Image.fromarray(self._objects[int(self._rng.integers(len(self._objects)))])
        thing = thing.rotate(float(self._rng.uniform(-180, 180)))
        thing = thing.resize((max(2, round(side)),) * 2, Image.Resampling.BILINEAR)
        layer = Image.new("RGBA", canvas.size)
        layer.paste(thing, tuple(round(p - side / 2) for p in place.tolist()))
        self._put(canvas, layer, faces)

    def _put(self, canvas: Image.Image, layer: Image.Image, faces: list[_Face]) -> None:
        """Lays a layer of the canvas's size on it, and notes what it hides."""
        canvas.paste(layer, (0, 0), layer)
        if faces:
            hidden = np.asarray(layer)[..., 3] > 128
            for face in faces:
                face.seen &= ~hidden


@dataclass(frozen=True)
class _Placing:
    """Where a picture of the pool goes: canvas = matrix @ (picture - middle) + centre."""

    matrix: np.ndarray
    middle: np.ndarray
    centre: np.ndarray
    scale: float

    @classmethod
    def of(cls, box: np.ndarray, height: float, turn: float, mirrored: bool, centre: np.ndarray) -> _Placing:
        scale = height / float(box[3] - box[1])
        angle = math.radians(turn)
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrix = scale * rotation @ np.diag([-1.0 if mirrored else 1.0, 1.0])
        return cls(matrix, (box[:2] + box[2:]).astype(float) / 2, centre, scale)

    def points(self, points: np.ndarray) -> np.ndarray:
        placed: np.ndarray = (points - self.middle) @ self.matrix.T + self.centre
        return placed

    def inverse(self, reduced: int) -> tuple[float, ...]:
        """PIL's six numbers, from the canvas to the picture at 1/`reduced` of its size."""
        back = np.linalg.inv(self.matrix)
        offset = (self.middle - back @ self.centre) / reduced
        back = back / reduced
        return (*back[0], offset[0], *back[1], offset[1])


def _face(pool: Pool, k: int, there: _Placing, turn: float, mirrored: bool) -> _Face:
    """A person's face as it is placed; the face is taken for an ellipse, since its box turns with it."""
    x0, y0, x1, y1 = pool.box[k].astype(float)
    roll = -pool.pose[k, 2] if mirrored else pool.pose[k, 2]
    half = there.scale / 2 * _axes(x1 - x0, y1 - y0, float(pool.pose[k, 2]))
    angle = math.radians(turn + float(roll))
    cos, sin = math.cos(angle), math.sin(angle)
    reach = np.hypot(half * np.array([cos, cos]), half[::-1] * np.array([sin, sin]))
    y, x = np.mgrid[0:CANVAS, 0:CANVAS] + 0.5 - there.centre[::-1, None, None]
    along, across = (x * cos + y * sin) / half[0], (y * cos - x * sin) / half[1]
    place = along**2 + across**2 <= 1
    points = there.points(pool.five[k])
    points = points[MIRRORED_POINTS] if mirrored else points
    box, area = np.concatenate([there.centre - reach, there.centre + reach]), float(math.pi * half.prod())
    bare = min(1.0, float(pool.face_seen[k]) / SEEN)
    return _Face(box, points, turn + float(roll), bare, place, area, np.ones_like(place))


def _axes(width: float, height: float, roll: float) -> np.ndarray:
    """Sides (2,) of an ellipse that fills a box of that width and height when it is turned by `roll`."""
    turn = math.radians(min(abs(roll), 35.0))
    cos, sin = math.cos(turn) ** 2, math.sin(turn) ** 2
    wide = (width**2 * cos - height**2 * sin) / (cos - sin)
    tall = (height**2 * cos - width**2 * sin) / (cos - sin)
    return np.sqrt(np.maximum([wide, tall], 0.25 * width * height))


def _mask_over_mouth(face: _Face, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """From cheek to cheek and from the nose to below the chin."""
    left, right, nose, *mouth = face.points
    corner_left, corner_right = mouth
    across, down = (right - left) * rng.uniform(0.5, 0.8), (corner_left + corner_right - left - right) / 2
    top = nose + down * rng.uniform(-0.4, 0.05)
    low = (corner_left + corner_right) / 2 + down * rng.uniform(0.3, 0.8)
    corners = [
        top,
        top + across + 0.1 * down,
        low + 0.7 * across,
        low - 0.7 * across,
        top - across + 0.1 * down,
    ]
    layer = Image.new("RGBA", size)
    outline = [tuple(corner) for corner in np.array(corners).tolist()]
    ImageDraw.Draw(layer).polygon(outline, fill=(*random_colour(rng), 255))
    return layer


def _beyond(rng: np.random.Generator) -> np.ndarray:
    """Where the canvas (H, W) lies beyond the picture: mostly nowhere, else at one or two of its edges."""
    outside = np.zeros((CANVAS, CANVAS), bool)
    if rng.random() < 0.3:
        for side in rng.choice(4, int(rng.integers(1, 3)), replace=False):
            np.rot90(outside, int(side))[: int(CANVAS * rng.uniform(0.02, 0.5))] = True
    return outside


def _labels(faces: list[_Face], outside: np.ndarray) -> Labels:
    kept, wanted = [], []
    for face in faces:
        share = face.bare * float((face.place & face.seen).sum()) / face.area
        turn = abs((face.turn + 180) % 360 - 180)
        if share < HIDDEN or turn > LYING:
            continue
        kept.append(face)
        centre = (face.box[:2] + face.box[2:]) / 2
        there = bool(((centre > 0) & (centre < CANVAS)).all())
        wanted.append(there and share >= PLAIN and turn <= MOST_TURN + 10)
    boxes = np.array([face.box for face in kept], np.float32).reshape(-1, 4)
    points = np.array([face.points for face in kept], np.float32).reshape(-1, 5, 2)
    return Labels(boxes, points, np.array(wanted, bool), outside)


def _halved(picture: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(picture).reduce(2))


def _compressed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.7:
        return pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(25, 95)))
    return np.array(Image.open(file))
