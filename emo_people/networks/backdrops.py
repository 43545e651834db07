"""Pictures without a face: what faces stand before, what hides them, and what must not be taken for one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 192  # px
Colour = tuple[int, int, int]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;-!?"


def draw_backdrop(rng: np.random.Generator) -> np.ndarray:
    """A picture (192, 192, 3) uint8: noise, a gradient, a pattern, shapes or text, one upon another."""
    ground = (_noise, clouds, _gradient, _pattern)[int(rng.choice(4, p=[0.2, 0.45, 0.15, 0.2]))]
    picture = Image.fromarray(ground(rng))
    if rng.random() < 0.6:
        _scatter(picture, rng, int(rng.choice([2, 6, 15, 40])))
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 8))))
    return np.array(picture)


def draw_object(rng: np.random.Generator) -> np.ndarray:
    """A cut-out (128, 128, 4) uint8 of something that is not a face, or hides one: a hand, a blob in the
    colours of skin, an animal's head of an ellipse and two dots, a ball, a cup, a card with lines."""
    drawers: tuple[Callable[[ImageDraw.ImageDraw, np.random.Generator], None], ...] = (
        *(_hand, _hand, _blob, _blob),
        *(_animal, _animal, _ball, _card),
        *(_vessel, _vessel),
    )
    canvas = Image.new("RGBA", (256, 256))
    drawers[int(rng.integers(len(drawers)))](ImageDraw.Draw(canvas), rng)
    canvas = canvas.rotate(float(rng.uniform(-180, 180)), Image.Resampling.BILINEAR)
    pixels = np.array(canvas.resize((128, 128), Image.Resampling.BOX))
    shade = _resized(rng.uniform(0.6, 1.15, (3, 3, 1)).repeat(3, 2), 128)
    pixels[..., :3] = (pixels[..., :3] * shade).clip(0, 255)
    return pixels


def random_colour(rng: np.random.Generator) -> Colour:
    """Of anything, often of skin."""
    if rng.random() < 0.4:
        return _skin(rng)
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _skin(rng: np.random.Generator) -> Colour:
    red = 255 * rng.uniform(0.25, 1)
    return int(red), int(red * rng.uniform(0.6, 0.85)), int(red * rng.uniform(0.4, 0.75))


def _resized(small: np.ndarray, side: int) -> np.ndarray:
    """Maps (h, w, 3) float, smooth, at (side, side, 3)."""
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(small, -1, 0)]
    return np.stack([np.asarray(p.resize((side, side), Image.Resampling.BICUBIC)) for p in planes], -1)


def _noise(rng: np.random.Generator) -> np.ndarray:
    grain = int(rng.choice([2, 4, 12, 48, SIDE]))
    coarse = Image.fromarray(rng.integers(0, 256, (grain, grain, 3), np.uint8))
    resample = Image.Resampling.BICUBIC if rng.random() < 0.6 else Image.Resampling.NEAREST
    return np.array(coarse.resize((SIDE, SIDE), resample))


def clouds(rng: np.random.Generator) -> np.ndarray:
    """Noise with the spectrum of photographs, its colours mostly alike."""
    steepness = rng.uniform(0.7, 1.6)
    y, x = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    stretch = np.exp(rng.uniform(-0.7, 0.7))
    size = np.hypot(y * stretch, x / stretch)
    size[0, 0] = 1
    waves = np.fft.rfft2(rng.standard_normal((3, SIDE, SIDE))) / size**steepness
    planes = np.fft.irfft2(waves, (SIDE, SIDE))
    planes /= planes.std((1, 2), keepdims=True)
    alike = rng.uniform(0.5, 1)
    planes = alike * planes[:1] + (1 - alike) * planes
    if rng.random() < 0.3:  # hard edges, as of leaves and stones
        planes = np.sign(planes) * np.abs(planes) ** rng.uniform(0.2, 0.6)
    colour = np.array(random_colour(rng))[:, None, None]
    return (colour + rng.uniform(10, 70) * planes).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def _gradient(rng: np.random.Generator) -> np.ndarray:
    corners = np.array([random_colour(rng) for _ in range(4)], np.float32).reshape(2, 2, 3)
    return _resized(corners, SIDE).clip(0, 255).astype(np.uint8)


def _pattern(rng: np.random.Generator) -> np.ndarray:
    """Stripes, grids, rings and tiles between two colours."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    angle, waves = rng.uniform(0, math.pi), np.exp(rng.uniform(np.log(2), np.log(40)))
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    one, other = (np.sin(2 * math.pi * waves * way) for way in (along, across * rng.uniform(0.3, 2)))
    rings = np.sin(2 * math.pi * waves * np.hypot(x - rng.random(), y - rng.random()))
    value = (one, one * other, np.maximum(one, other), rings)[int(rng.integers(4))]
    value = np.tanh(value * rng.uniform(0.5, 8))[..., None] / 2 + 0.5
    low, high = np.array(random_colour(rng)), np.array(random_colour(rng))
    return (low + value * (high - low.astype(float))).clip(0, 255).astype(np.uint8)


def _scatter(picture: Image.Image, rng: np.random.Generator, count: int) -> None:
    draw = ImageDraw.Draw(picture)
    for _ in range(count):
        x, y = rng.integers(-20, SIDE, 2).tolist()
        width, height = np.exp(rng.uniform(np.log(3), np.log(120), 2)).astype(int).tolist()
        kind, colour = int(rng.integers(5)), random_colour(rng)
        if kind == 0:
            draw.ellipse((x, y, x + width, y + height), fill=colour)
        elif kind == 1:
            draw.rectangle((x, y, x + width, y + height), fill=colour)
        elif kind == 2:
            draw.line((x, y, x + width, y + height - 40), fill=colour, width=int(rng.integers(1, 9)))
        elif kind == 3:
            corners = rng.integers(0, SIDE, (int(rng.integers(3, 7)), 2)) * 0.5 + np.array([x, y])
            draw.polygon([tuple(corner) for corner in corners.tolist()], fill=colour)
        else:
            letters = "".join(rng.choice(list(LETTERS), int(rng.integers(1, 20))))
            draw.text((x, y), letters, fill=colour, font_size=float(rng.uniform(6, 40)))


def _hand(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    colour = _skin(rng) if rng.random() < 0.6 else random_colour(rng)
    dark = tuple(int(0.75 * part) for part in colour)
    draw.rounded_rectangle((85, 120, 175, 215), 30, fill=colour)
    draw.rectangle((100, 200, 160, 256), fill=random_colour(rng) if rng.random() < 0.5 else colour)
    spread = rng.uniform(0.05, 0.3)
    for k in range(4):
        angle = (k - 1.5) * spread + rng.normal(0, 0.05)
        length = rng.uniform(50, 100)
        x, tip_x, tip_y = 97 + 22 * k, 97 + 22 * k + length * np.sin(angle), 125 - length * np.cos(angle)
        for wide, shade in ((25, dark), (21, colour)):
            draw.line((x, 135, tip_x, tip_y), fill=shade, width=wide)
            draw.ellipse((tip_x - wide / 2, tip_y - wide / 2, tip_x + wide / 2, tip_y + wide / 2), fill=shade)
    draw.line((95, 170, 45, 125), fill=colour, width=24)


def _blob(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    waves = [rng.normal(0, 0.25 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(2, 6)]
    radius = 85 * (1 + np.sum(waves, 0)).clip(0.2, 1.4)
    corners = np.stack([128 + radius * np.cos(angles), 128 + radius * np.sin(angles)], 1)
    draw.polygon([tuple(corner) for corner in corners.tolist()], fill=random_colour(rng))


def _animal(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    colour, eyes = random_colour(rng), random_colour(rng)
    width, height = rng.uniform(55, 95), rng.uniform(55, 95)
    for side in (-1, 1):
        x, tip = 128 + side * 0.6 * width, rng.uniform(20, 60)
        ear = ((x - 30, 110), (x + 30, 110), (x + side * rng.uniform(0, 25), 128 - height - tip))
        draw.polygon(ear, fill=colour)
    draw.ellipse((128 - width, 128 - height, 128 + width, 128 + height), fill=colour)
    apart, size, y = rng.uniform(0.3, 0.6) * width, rng.uniform(5, 16), rng.uniform(95, 125)
    for x in (128 - apart, 128 + apart):
        draw.ellipse((x - size, y - size, x + size, y + size), fill=eyes)
        if rng.random() < 0.5:
            draw.ellipse((x - size / 3, y - size, x + size / 3, y + size), fill=(10, 10, 10))
    snout, nose = rng.uniform(15, 45), rng.uniform(145, 175)
    draw.ellipse((128 - 1.4 * snout, nose - snout, 128 + 1.4 * snout, nose + snout), fill=random_colour(rng))
    draw.polygon(((128 - 12, nose - 10), (128 + 12, nose - 10), (128, nose + 8)), fill=(30, 20, 20))


def _ball(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A ball, a wheel or a plate: rings, and sometimes marks where eyes and a mouth might be."""
    for radius in np.sort(rng.uniform(5, 100, int(rng.integers(1, 5))))[::-1].tolist():
        draw.ellipse((128 - radius, 128 - radius, 128 + radius, 128 + radius), fill=random_colour(rng))
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(70, 186, 2)
        size = rng.uniform(3, 14)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=random_colour(rng))


def _vessel(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A cup, a bowl or a pot on its saucer, from above or from the side."""
    body, inside, saucer = (random_colour(rng) for _ in range(3))
    wide, high = rng.uniform(45, 75), rng.uniform(0, 70)
    flat = wide * rng.uniform(0.2, 0.9)
    x0, x1, top, foot = 128 - wide, 128 + wide, 128 - high / 2, 128 + high / 2
    if rng.random() < 0.6:
        out = rng.uniform(1.1, 1.6)
        draw.ellipse((128 - out * wide, foot - out * flat, 128 + out * wide, foot + out * flat), fill=saucer)
    if rng.random() < 0.7:
        draw.ellipse((x1 - 15, top, x1 + 35, foot + flat / 2), outline=body, width=int(rng.uniform(6, 14)))
    narrow = rng.uniform(0.5, 1.1) * wide
    draw.ellipse((128 - narrow, foot - flat, 128 + narrow, foot + flat), fill=body)
    draw.polygon(((x0, top), (x1, top), (128 + narrow, foot), (128 - narrow, foot)), fill=body)
    draw.ellipse((x0, top - flat, x1, top + flat), fill=body)
    rim = rng.uniform(0.75, 0.95)
    draw.ellipse((128 - rim * wide, top - rim * flat, 128 + rim * wide, top + rim * flat), fill=inside)
    for _ in range(int(rng.integers(0, 4))):
        x, y, size = *(np.array([128, top]) + rng.uniform(-0.5, 0.5, 2) * (wide, flat)), rng.uniform(3, 12)
        draw.ellipse((x - size, y - size / 2, x + size, y + size / 2), fill=random_colour(rng))


def _card(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A sheet, a phone or a mask: a rounded rectangle with lines or a screen."""
    width, height = rng.uniform(40, 120, 2)
    box = (128 - width, 128 - height, 128 + width, 128 + height)
    draw.rounded_rectangle(box, int(rng.uniform(0, 0.5) * min(width, height)), fill=random_colour(rng))
    for _ in range(int(rng.choice([0, 0, 3, 8]))):
        y = rng.uniform(128 - 0.8 * height, 128 + 0.8 * height)
        draw.line(
            (128 - 0.8 * width, y, 128 + rng.uniform(-0.8, 0.8) * width, y), fill=random_colour(rng), width=4
        )
