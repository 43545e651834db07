"""A picture of a rendering: portrait, frames, waveform."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..media.downmix import to_mono
from ..media.image import to_bytes
from ..writing.pictures import save_picture

GAP, WAVE_HEIGHT, INK, PAPER = 6, 72, (52, 84, 140), (250, 250, 252)


def write_sheet(path: Path, portrait: Tensor, frames: Tensor, audio: Tensor) -> None:
    """Portrait (H, W, 3) and frames (K, H, W, 3) in 0..1 side by side, the waveform (..., T) under the
    frames."""
    height, width = portrait.shape[:2]
    columns = (len(frames) + 1) // 2
    left, below = 2 * (width + GAP), 2 * (height + GAP) + GAP
    sheet = Image.new("RGB", (left + columns * (width + GAP) + GAP, below + WAVE_HEIGHT), PAPER)
    shown = Image.fromarray(to_bytes(portrait).numpy())
    sheet.paste(shown.resize((2 * width, 2 * height), Image.Resampling.LANCZOS), (GAP, GAP))
    for k, frame in enumerate(to_bytes(frames).numpy()):
        row, column = divmod(k, columns)
        sheet.paste(Image.fromarray(frame), (left + column * (width + GAP), GAP + row * (height + GAP)))
    draw_waveform(sheet, to_mono(audio).numpy(), left, below)
    save_picture(path, sheet)


def draw_waveform(sheet: Image.Image, samples: np.ndarray, left: int, top: int) -> None:
    columns = sheet.width - GAP - left
    peaks = [np.abs(piece).max(initial=0.0) for piece in np.array_split(samples, columns)]
    scale = (WAVE_HEIGHT / 2 - 4) / max(max(peaks), 1e-6)
    draw, middle = ImageDraw.Draw(sheet), top + WAVE_HEIGHT // 2 - 2
    for x, peak in enumerate(peaks):
        draw.line([(left + x, middle - peak * scale), (left + x, middle + peak * scale)], fill=INK)
