"""What a camera makes of the light that reaches it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from .camera import Camera, Look

# Above this share of white, cameras bend the curve instead of cutting it off.
SHOULDER = 0.6
MOTION_SAMPLES = 7


def photograph(
    light: np.ndarray, camera: Camera, frame: int = 0, motion: np.ndarray | None = None
) -> np.ndarray:
    """The picture of one frame: (H, W, 3) uint8 sRGB from linear light (H, W, 3) float, 1 as white.

    frame: which noise it gets. motion: (H, W, 2), pixels that each place moves right and down in a frame.
    """
    rng = np.random.default_rng((camera.seed, frame))
    image = np.asarray(light, np.float32)
    if motion is not None:
        image = smeared(image, motion, camera.shutter)
    display = developed(_sensed(_through_lens(image, camera), camera, rng), camera.look)
    if camera.sharpening:
        display = _sharpened(display, camera.sharpening)
    pixels = (np.clip(display, 0, 1) * 255 + 0.5).astype(np.uint8)
    size = light.shape[1], light.shape[0]
    if pixels.shape[1::-1] != size:
        pixels = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return pixels if camera.codec == "none" else _compressed(pixels, camera.codec, camera.quality)


def smeared(light: np.ndarray, motion: np.ndarray, shutter: float) -> np.ndarray:
    """Averaged along the way that each place moves, (H, W, 2) pixels a frame, while the shutter is open."""
    reach = float(np.abs(motion).max()) * shutter
    if reach < 0.5:
        return light
    y, x = np.mgrid[: light.shape[0], : light.shape[1]].astype(np.float32)
    steps = np.linspace(-0.5, 0.5, MOTION_SAMPLES) * shutter
    places = [(y + step * motion[..., 1], x + step * motion[..., 0]) for step in steps]
    channels = [
        sum(map_coordinates(light[..., k], place, order=1, mode="nearest") for place in places)
        for k in range(3)
    ]
    return np.stack(channels, -1) / MOTION_SAMPLES


def developed(light: np.ndarray, look: Look) -> np.ndarray:
    """Linear light as display values (H, W, 3) 0..1: sRGB's curve with a shoulder, then the look."""
    over = np.maximum(light - SHOULDER, 0)
    light = np.maximum(np.minimum(light, SHOULDER) + (1 - SHOULDER) * (1 - np.exp(-over / (1 - SHOULDER))), 0)
    display = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    if look.gamma != 1:
        display = display**look.gamma
    if look.contrast:
        display += look.contrast * display * (1 - display) * (2 * display - 1)
    if look.saturation != 1:
        grey = (display @ np.array(look.weights, np.float32))[..., None]
        display = grey + look.saturation * (display - grey)
    shadows, highlights = np.array(look.shadows, np.float32), np.array(look.highlights, np.float32)
    return np.clip(shadows + (highlights - shadows) * display, 0, 1)


def _through_lens(light: np.ndarray, camera: Camera) -> np.ndarray:
    if camera.blur > 0.2:
        light = gaussian_filter(light, (camera.blur, camera.blur, 0), truncate=2.5)
    if camera.fringe:
        light = _fringed(light, camera.fringe)
    gains = 2.0**camera.exposure * np.array(camera.balance, np.float32)
    light = light * gains
    if camera.glare:
        light = (1 - camera.glare) * light + camera.glare * np.minimum(light, 2).reshape(-1, 3).mean(0)
    if camera.vignette:
        y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in light.shape[:2])
        light = light * (1 - camera.vignette * ((x**2 + y[:, None] ** 2) / 2) ** 1.5)[..., None]
    return light


def _fringed(light: np.ndarray, share: float) -> np.ndarray:
    """Red a little larger than green, blue a little smaller."""
    result = light.copy()
    for channel, factor in ((0, 1 - share), (2, 1 + share)):
        offset = [(n - 1) / 2 * (1 - factor) for n in light.shape[:2]]
        result[..., channel] = affine_transform(
            light[..., channel], [factor, factor], offset, order=1, mode="nearest"
        )
    return result


def _sensed(light: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """At the sensor's resolution, noise added and some of it smoothed away again."""
    high, wide = (max(8, round(n * camera.detail)) for n in light.shape[:2])
    if (high, wide) != light.shape[:2]:
        channels = [Image.fromarray(np.ascontiguousarray(light[..., k])) for k in range(3)]
        light = np.stack([np.asarray(c.resize((wide, high), Image.Resampling.BOX)) for c in channels], -1)
    deviation = np.sqrt(camera.read**2 + camera.shot * np.maximum(light, 0))
    light = light + deviation * _noise(high, wide, camera.grain, rng)
    if camera.smoothing:
        soft = gaussian_filter(light, (1.2, 1.2, 0), truncate=2)
        alike = np.exp(-(((soft - light) / (0.04 + 0.1 * soft.clip(0))) ** 2))
        light = light + camera.smoothing * alike * (soft - light)
    return light


def _noise(high: int, wide: int, grain: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) of deviation about 1: independent pixels, and coloured blotches of 2 px as `grain` grows."""
    fine = rng.standard_normal((high, wide, 3), np.float32)
    if not grain:
        return fine
    coarse = rng.standard_normal(((high + 1) // 2, (wide + 1) // 2, 3), np.float32)
    return (1 - 0.6 * grain) * fine + grain * coarse.repeat(2, 0).repeat(2, 1)[:high, :wide]


def _sharpened(display: np.ndarray, strength: float) -> np.ndarray:
    """Edges of brightness exaggerated, with the halo that cameras leave."""
    grey = display @ np.full(3, 1 / 3, np.float32)
    return display + (strength * (grey - gaussian_filter(grey, 1.0, truncate=2.5)))[..., None]


def _compressed(pixels: np.ndarray, codec: str, quality: int) -> np.ndarray:
    """Through JPEG, or WebP, whose predicted and filtered blocks look like those of video."""
    file = io.BytesIO()
    options = {"method": 0} if codec == "webp" else {"subsampling": 2 if quality < 90 else 0}
    Image.fromarray(pixels).save(file, codec, quality=quality, **options)
    return np.array(Image.open(file).convert("RGB"))
