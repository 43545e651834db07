"""A shard as one picture: frames with face box and head pose, sound and speed over time, and the facts."""

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from ..perception.pose import rotation_matrices
from ..perception.rates import FPS
from .decode import decode_pictures, decode_sound
from .shards import Sample

SIDE = 144  # pixels of one frame
FRAMES = 8
TEXT = 64
CURVE = 44
WIDTH = SIDE * FRAMES
PAPER, INK, BOX, SOUND, SPEED = (250, 250, 248), (30, 30, 30), (255, 220, 0), (110, 140, 190), (200, 70, 40)
AXES = ((255, 70, 70), (70, 220, 90), (90, 140, 255))  # x, y and z of the head
AXIS_LENGTH = 0.5  # of the face's height
FASTEST = 40.0  # degrees per second at the top of the speed curve, unless the sample is faster


def contact_sheet(samples: Iterable[Sample]) -> Image.Image:
    """One row for each sample. Raises ValueError when there is none."""
    rows = [_row(sample) for sample in samples]
    if not rows:
        raise ValueError("no sample to show: the shard is empty")
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _row(sample: Sample) -> Image.Image:
    row = Image.new("RGB", (WIDTH, TEXT + SIDE + 2 * CURVE), PAPER)
    draw = ImageDraw.Draw(row)
    draw.multiline_text((6, 4), _description(sample), fill=INK, font_size=13, spacing=3)
    total = sample.facts["frames"]
    looks = np.linspace(0, total - 1, FRAMES).round().astype(int).tolist()
    for place, (k, pixels) in enumerate(zip(looks, decode_pictures(sample.video, looks), strict=True)):
        row.paste(_draw_frame(pixels, k, sample), (place * SIDE, TEXT))
    _draw_sound(draw, sample, TEXT + SIDE)
    _draw_speed(draw, sample.arrays["speeds"], TEXT + SIDE + CURVE)
    draw.line((0, row.height - 1, WIDTH, row.height - 1), fill=INK)
    return row


def _description(sample: Sample) -> str:
    facts, sync = sample.facts, sample.facts["sync"]
    heard = f"offset {sync['offset']}, confidence {sync['confidence']:.1f}" if sync else "not measured"
    speed = "unknown" if facts["mean_speed"] is None else f"{facts['mean_speed']:.1f} deg/s"
    quality = ", ".join(f"{name} {value:g}" for name, value in facts["quality"].items())
    owner = f"identity {facts['identity']}, licence {facts['licence'] or 'unknown'}"
    return (
        f"{sample.key}   {owner}\n"
        f"{facts['source']} {facts['start']:.2f} to {facts['stop']:.2f} s, {facts['frames']} frames of "
        f"{facts['size']} px, crop {facts['crop']}\nsync {heard};  mean speed {speed};  {quality}"
    )


def _draw_frame(pixels: np.ndarray, k: int, sample: Sample) -> Image.Image:
    """Frame k, small, with its box and the axes of the head's pose."""
    scale = SIDE / pixels.shape[0]
    frame = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(frame)
    box = sample.arrays["boxes"][k] * scale
    draw.rectangle(box.tolist(), outline=BOX)
    angles = sample.arrays["rotations"][k]
    if np.isfinite(angles).all():
        centre, length = (box[:2] + box[2:]) / 2, AXIS_LENGTH * (box[3] - box[1])
        axes = rotation_matrices(*angles[:, None].astype(float))[0]
        for colour, axis in zip(AXES, axes.T, strict=True):
            draw.line([*centre, *(centre + length * axis[:2])], fill=colour, width=2)
        _label(draw, SIDE - 16, "{:+.0f}  {:+.0f}  {:+.0f}".format(*angles))
    _label(draw, 2, f"{k / FPS:.2f} s")
    return frame


def _label(draw: ImageDraw.ImageDraw, top: int, text: str) -> None:
    draw.text((4, top), text, fill=BOX, font_size=12, stroke_width=2, stroke_fill=INK)


def _draw_sound(draw: ImageDraw.ImageDraw, sample: Sample, top: int) -> None:
    middle = top + CURVE / 2
    if sample.audio is None:
        draw.text((6, middle - 7), "no sound", fill=INK, font_size=12)
        return
    columns = np.array_split(np.abs(decode_sound(sample).numpy()), WIDTH)
    peaks = [piece.max(initial=0) for piece in columns]
    for x, peak in enumerate(np.array(peaks) / max(max(peaks), 1e-6) * (CURVE / 2 - 2)):
        draw.line((x, middle - peak, x, middle + peak), fill=SOUND)


def _draw_speed(draw: ImageDraw.ImageDraw, speeds: np.ndarray, top: int) -> None:
    known = np.flatnonzero(np.isfinite(speeds))
    if len(known) == 0:
        draw.text((6, top + CURVE / 2 - 7), "head speed unknown", fill=INK, font_size=12)
        return
    highest = max(FASTEST, float(speeds[known].max()))
    x = (known + 0.5) / len(speeds) * WIDTH
    y = top + CURVE - 3 - speeds[known] / highest * (CURVE - 6)
    draw.line(np.stack([x, y], 1).ravel().tolist(), fill=SPEED, width=2)
    draw.text(
        (6, top + 2),
        f"head speed, 0 to {highest:.0f} deg/s",
        fill=INK,
        font_size=11,
        stroke_width=2,
        stroke_fill=PAPER,
    )
