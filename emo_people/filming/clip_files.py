"""Clips as files, a tenth of a megabyte each: pictures as a film, the rest packed without or with hardly a
loss."""

from __future__ import annotations

import io
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence
from safetensors.numpy import load_file, save_file

from emo_modules.writing.partial import whole_file

FILM: dict[str, Any] = {"quality": 75, "speed": 10, "subsampling": "4:4:4", "max_threads": 1}
FIELD_STEP, POINT_STEP = 1 / 4, 1 / 32  # px: a displacement is off by up to half of it, a landmark too
SHARE_STEP = 255 / 64  # a cell of what is hidden has 64 pixels
EFFORT = 2  # of the packer, 0..9
_AS_THEY_ARE = ("boxes", "curves", "turned", "lids", "head_speed", "start", "seed")
MU = 255  # of ITU-T G.711's mu-law, in whose 8 bits sound is kept


@dataclass(frozen=True, eq=False)
class Clip:
    """F frames of a person speaking, and their portrait, of 256 x 256 px.

    What is left is the viewer's left. `displacement` leads from a frame's pixels to the same places in the
    portrait; `hidden` says of 8 x 8 px which share of them the portrait does not show.
    """

    pictures: np.ndarray  # (1 + F, 256, 256, 3) uint8, the portrait first
    displacement: np.ndarray  # (F, 64, 64, 2) float32, x and y in px of the picture
    hidden: np.ndarray  # (F, 32, 32) uint8 0..255
    boxes: np.ndarray  # (1 + F, 4) float32 px
    landmarks: np.ndarray  # (1 + F, 68, 2) float32 px
    curves: np.ndarray  # (F, 8) float32, see CURVES
    turned: np.ndarray  # (F, 3) float32 degrees of yaw, pitch and roll from the portrait's pose
    lids: np.ndarray  # (F,) float32, how far a blink shuts them, 0..1
    waveform: np.ndarray  # (S,) float16, 16 kHz, from 14 frames before the first frame to 14 after the last
    phonemes: np.ndarray  # (T,) int16 labels of the same time at 50 Hz
    head_speed: np.ndarray  # () float32, degrees per second that were asked for
    start: np.ndarray  # () int64, number of the first frame in its performance
    seed: np.ndarray  # () int64


CURVES = ("mouth_open", "mouth_width", "left_eye_open", "right_eye_open", "yaw", "pitch", "roll", "speed")


def write_clip(path: Path, clip: Clip) -> None:
    """Raises WriteError."""
    loudest = np.abs(clip.waveform).max().astype(np.float32)
    stored = {
        **{name: getattr(clip, name) for name in _AS_THEY_ARE},
        "pictures": np.frombuffer(film_of(clip.pictures), np.uint8),
        "displacement": pack(np.rint(clip.displacement / FIELD_STEP).astype(np.int16)),
        "hidden": pack(np.rint(clip.hidden[..., None] / SHARE_STEP).astype(np.int16)),
        "landmarks": pack(np.rint(clip.landmarks / POINT_STEP).astype(np.int16)),
        "waveform": compand(clip.waveform, loudest),
        "loudest": loudest,
        "phonemes": clip.phonemes.astype(np.uint8),
    }
    with whole_file(path) as unfinished:
        save_file({name: np.asarray(values, order="C") for name, values in stored.items()}, unfinished)


def read_clip(path: Path) -> Clip:
    """Raises FileNotFoundError."""
    stored = load_file(path)
    frames = len(stored["curves"])
    film, loudest = (stored.pop(name) for name in ("pictures", "loudest"))
    fields = unpack(stored.pop("displacement"), (frames, 64, 64, 2))
    shares = unpack(stored.pop("hidden"), (frames, 32, 32, 1))[..., 0]
    points = unpack(stored.pop("landmarks"), (frames + 1, 68, 2))
    return Clip(
        pictures=pictures_of(film.tobytes()),
        displacement=fields * np.float32(FIELD_STEP),
        hidden=np.rint(shares * SHARE_STEP).astype(np.uint8),
        landmarks=points * np.float32(POINT_STEP),
        waveform=expand(stored.pop("waveform"), loudest),
        phonemes=stored.pop("phonemes").astype(np.int16),
        **stored,
    )


def film_of(pictures: np.ndarray) -> bytes:
    """(N, H, W, 3) uint8 as a sequence in which what stands still costs next to nothing."""
    file = io.BytesIO()
    first, *others = (Image.fromarray(picture) for picture in pictures)
    first.save(file, "AVIF", save_all=True, append_images=others, **FILM)
    return file.getvalue()


def pictures_of(film: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(film)) as image:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def pack(values: np.ndarray) -> np.ndarray:
    """Integers int16 (F, ..., C) as compressed bytes (uint8): how they change from frame to frame."""
    change = np.diff(np.moveaxis(values, -1, 1), axis=0, prepend=np.int16(0))
    folded = (change << 1) ^ (change >> 15)  # without a sign: 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
    planes = folded.astype("<i2").reshape(-1, 1).view(np.uint8).T
    return np.frombuffer(lzma.compress(planes.tobytes(), lzma.FORMAT_ALONE, preset=EFFORT), np.uint8)


def unpack(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What `pack` was given."""
    frames, *places, channels = shape
    planes = np.frombuffer(lzma.decompress(packed.tobytes()), np.uint8).reshape(2, -1)
    folded = np.ascontiguousarray(planes.T).view("<u2").reshape(frames, channels, *places)
    change = (folded >> 1).astype(np.int16) ^ -(folded & 1).astype(np.int16)
    return np.moveaxis(np.cumsum(change, 0, np.int16), 1, -1)


def compand(sound: np.ndarray, loudest: np.floating) -> np.ndarray:
    """(S,) in mu-law's 255 steps, uint8."""
    share = sound.astype(np.float32) / max(float(loudest), 1e-6)
    code = np.rint(127 * np.sign(share) * np.log1p(MU * np.abs(share)) / np.log1p(MU))
    return (code + 128).astype(np.uint8)


def expand(codes: np.ndarray, loudest: np.ndarray) -> np.ndarray:
    """(S,) float16."""
    code = (codes.astype(np.float32) - 128) / 127
    return (loudest * np.sign(code) * ((1 + MU) ** np.abs(code) - 1) / MU).astype(np.float16)
