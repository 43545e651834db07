"""SyncNet: how far the sound is from the lips, in frames, and how sure that is (LSE-C and LSE-D).

Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016. Layers and measure are those of
joonson/syncnet_python, whose `syncnet_v2.model` loads as it is; smaller networks' files carry their shapes.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from emo_modules.checked import Checked, Length, Range, from_dict
from emo_modules.checkpoints.files import write_files
from emo_modules.weights.reading import describe_keys, read_header, read_tensors, read_weights
from emo_modules.weights.rename import assign_strict

from .mfcc import COEFFICIENTS, mfcc
from .rates import FPS, SAMPLE_RATE

FRAMES = 5  # of pictures in one window
COLUMNS_PER_FRAME = 4  # cepstra come 100 times a second
COLUMNS = FRAMES * COLUMNS_PER_FRAME
BATCH = 20  # windows at a time: the public network's first layer takes 4.6 MB for each
CROP_SCALE = 0.4  # how far the crop reaches beyond the box, in half sides
SMOOTHED = 13  # frames of the median filter on the boxes
GREY = 110  # what lies outside of the picture
METADATA = "syncnet"
EXPECTED = "SyncNet's syncnet_v2.model, or a safetensors file of train-syncnet"
Pixels = Annotated[int, Range(8, 1024)]
Stride = Annotated[int, Range(1, 4)]
Width = Annotated[int, Range(1, 4096)]
REMEDY = "Get syncnet_v2.model again from https://www.robots.ox.ac.uk/~vgg/software/lipsync/"


@dataclass(frozen=True)
class SyncNetConfig(Checked):
    """The shape of a SyncNet; the defaults are the public one's."""

    side: Pixels = 224  # of the face crops
    window: Pixels = 224  # central pixels of the crop that are looked at
    kernel: Annotated[int, Range(1, 15)] = 7  # first convolution's
    strides: tuple[Stride, Stride] = (2, 2)  # of the first two convolutions
    lip_channels: Annotated[tuple[Width, ...], Length(6, 6)] = (96, 256, 256, 256, 256, 512)
    sound_channels: Annotated[tuple[Width, ...], Length(6, 6)] = (64, 192, 384, 256, 256, 512)
    hidden: Width = 512
    embedding: Width = 1024
    min_confidence: float = 3.0  # below, sound and lips are not taken for one recording (LatentSync's bound)

    def impossible(self) -> Iterator[str]:
        if self.window > self.side:
            yield f"the window of {self.window} pixels is larger than the crops of {self.side}"
        elif _side_after(self) < 1:
            yield f"a window of {self.window} pixels is too small for its convolutions"


class SyncNet(nn.Module):
    """Lips and sound of 0.2 s as points that lie near each other when they were recorded together."""

    def __init__(self, config: SyncNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SyncNetConfig()
        self.netcnnaud = _sound_layers(config.sound_channels)
        self.netfcaud = _head(config.sound_channels[-1], config)
        self.netcnnlip = _lip_layers(config)
        self.netfclip = _head(config.lip_channels[-1], config)

    def embed_lips(self, frames: Tensor) -> Tensor:
        """Videos (N, 3, T, side, side), BGR, 0..255 -> (N, T - 4, embedding): every five frames in a row."""
        edge = (frames.shape[-1] - self.config.window) // 2
        middle = slice(edge, edge + self.config.window)
        found = self.netcnnlip(frames[..., middle, middle])[..., 0, 0]  # (N, channels, T - 4)
        n, channels, windows = found.shape
        points = self.netfclip(found.transpose(1, 2).reshape(n * windows, channels))
        return points.view(n, windows, -1)

    def embed_sound(self, cepstra: Tensor) -> Tensor:
        """Windows of cepstra (N, 1, 13, 20) -> (N, embedding)."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))


def _sound_layers(widths: tuple[int, ...]) -> nn.Sequential:
    a, b, c, d, e, f = widths
    return nn.Sequential(
        *_block(nn.Conv2d(1, a, 3, padding=1)),
        nn.Identity(),  # holds the place of a pooling that changes nothing
        *_block(nn.Conv2d(a, b, 3, padding=1)),
        nn.MaxPool2d(3, (1, 2)),
        *_block(nn.Conv2d(b, c, 3, padding=1)),
        *_block(nn.Conv2d(c, d, 3, padding=1)),
        *_block(nn.Conv2d(d, e, 3, padding=1)),
        nn.MaxPool2d(3, 2),
        *_block(nn.Conv2d(e, f, (5, 4))),
    )


def _lip_layers(config: SyncNetConfig) -> nn.Sequential:
    a, b, c, d, e, f = config.lip_channels
    first, second = config.strides
    kernel, pool = (FRAMES, config.kernel, config.kernel), (1, 3, 3)
    layers = [
        *_block(nn.Conv3d(3, a, kernel, (1, first, first))),
        nn.MaxPool3d(pool, (1, 2, 2)),
        *_block(nn.Conv3d(a, b, (1, 5, 5), (1, second, second), (0, 1, 1))),
        nn.MaxPool3d(pool, (1, 2, 2), (0, 1, 1)),
        *_block(nn.Conv3d(b, c, pool, padding=(0, 1, 1))),
        *_block(nn.Conv3d(c, d, pool, padding=(0, 1, 1))),
        *_block(nn.Conv3d(d, e, pool, padding=(0, 1, 1))),
        nn.MaxPool3d(pool, (1, 2, 2)),
    ]
    rest = _side_after(config)
    return nn.Sequential(*layers, *_block(nn.Conv3d(e, f, (1, rest, rest))))


def _side_after(config: SyncNetConfig) -> int:
    """Pixels left before the last convolution, which takes them all at once (6 in the public network)."""
    side = (config.window - config.kernel) // config.strides[0] + 1
    side = (side - 3) // 2 + 1
    side = (side - 3) // config.strides[1] + 1
    side = (side - 1) // 2 + 1
    return (side - 3) // 2 + 1


def _block(convolution: nn.Conv2d | nn.Conv3d) -> list[nn.Module]:
    norm = nn.BatchNorm3d if isinstance(convolution, nn.Conv3d) else nn.BatchNorm2d
    return [convolution, norm(convolution.out_channels), nn.ReLU(inplace=True)]


def _head(width: int, config: SyncNetConfig) -> nn.Sequential:
    norm = nn.BatchNorm1d(config.hidden)
    return nn.Sequential(
        nn.Linear(width, config.hidden), norm, nn.ReLU(), nn.Linear(config.hidden, config.embedding)
    )


def load_syncnet(path: Path) -> SyncNet:
    """The public network's file, or one of `save_syncnet`; frozen, in evaluation mode.

    Raises FileNotFoundError, or ValueError naming the file, what was expected and found, and the remedy.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: nothing there; expected {EXPECTED}. {REMEDY}")
    config = SyncNetConfig()
    if path.suffix == ".safetensors":
        metadata, _ = read_header(path, EXPECTED)
        config = _read_config(metadata, path)
        state = read_tensors([path])
    else:
        state = read_weights(path, EXPECTED, REMEDY)
    if "netcnnlip.0.weight" not in state:
        raise ValueError(f"{path}: expected {EXPECTED}; found {describe_keys(list(state))}. {REMEDY}")
    with torch.device("meta"):
        net = SyncNet(config)
    # Files from before PyTorch 0.4.1 have no counters; they are never read.
    counters = {key: torch.tensor(0) for key in net.state_dict() if key.endswith(".num_batches_tracked")}
    assign_strict(net, counters | state, str(path), "cpu", torch.float32, f"{REMEDY}.")
    return net.requires_grad_(False).eval()


def _read_config(metadata: dict[str, str], path: Path) -> SyncNetConfig:
    if METADATA not in metadata:
        raise ValueError(
            f"{path}: expected {EXPECTED}; found safetensors without {METADATA!r} in its metadata. "
            "Make the file with train-syncnet"
        )
    try:
        values = json.loads(metadata[METADATA])
        return from_dict(SyncNetConfig, values, "make the file with train-syncnet")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its shape cannot be read: {error}") from error


def save_syncnet(net: SyncNet, path: Path, notes: dict[str, str] | None = None, half: bool = False) -> None:
    """Weights, in half precision if asked, with the configuration and `notes` on how they were made."""
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    if half:
        tensors = {n: v.half() for n, v in tensors.items() if not n.endswith(".num_batches_tracked")}
    write_files(path, tensors, (notes or {}) | {METADATA: json.dumps(asdict(net.config))}, None)


@dataclass(frozen=True)
class Sync:
    """What SyncNet finds of one video."""

    offset: int  # frames by which the sound comes late; that many are dropped from its start to align it
    confidence: float  # LSE-C: median minus minimum of `distances`
    distance: float  # LSE-D: their minimum
    distances: np.ndarray  # (2 * span + 1,) mean distance of the lips to the sound -span..span frames later


@torch.no_grad()
def measure_sync(net: SyncNet, crops: np.ndarray, waveform: np.ndarray, span: int = 15) -> Sync:
    """Compares lips (T, side, side, 3) RGB uint8 at 25 fps with sound (S,) float32 -1..1 at 16 kHz.

    As in syncnet_python: windows of 5 frames and of 20 columns of cepstra, Euclidean distances averaged over
    the windows for each shift, zeros where the shifted sound has ended. The original prints this offset with
    the other sign. Raises ValueError for crops of another size and for less than 6 frames.
    """
    side = net.config.side
    if crops.shape[1:] != (side, side, 3):
        raise ValueError(f"crops are (T, {side}, {side}, 3) here, got {crops.shape}: use face_crops")
    frames = min(len(crops), len(waveform) * FPS // SAMPLE_RATE)
    windows = frames - FRAMES  # the original leaves out the last one
    if windows < 1:
        raise ValueError(f"sync needs {FRAMES + 1} frames with sound, got {frames}: take a longer video")
    lips = torch.cat(list(_lip_points(net, crops, windows)))
    sound = torch.cat(list(_sound_points(net, waveform, windows)))
    shifted = F.pad(sound, (0, 0, span, span))
    means = [F.pairwise_distance(lips, shifted[k : k + windows]).mean() for k in range(2 * span + 1)]
    distances = torch.stack(means)
    least, best = distances.min(0)
    return Sync(
        offset=int(best) - span,
        confidence=float(distances.median() - least),
        distance=float(least),
        distances=distances.cpu().numpy(),
    )


def _lip_points(net: SyncNet, crops: np.ndarray, windows: int) -> Iterator[Tensor]:
    device = next(net.parameters()).device
    for start in range(0, windows, BATCH):
        stop = min(start + BATCH, windows) + FRAMES - 1
        bgr = torch.from_numpy(crops[start:stop, ..., ::-1].copy()).permute(3, 0, 1, 2)
        yield net.embed_lips(bgr[None].to(device).float())[0]


def _sound_points(net: SyncNet, waveform: np.ndarray, windows: int) -> Iterator[Tensor]:
    device = next(net.parameters()).device
    cepstra = torch.from_numpy(sound_windows(waveform, windows))
    for part in cepstra.split(BATCH):
        yield net.embed_sound(part.to(device).float())


def sound_windows(waveform: np.ndarray, windows: int) -> np.ndarray:
    """Cepstra (windows, 1, 13, 20) of the 0.2 s from each frame on, of the sound rounded to 16 bits."""
    samples = np.rint(waveform * 32768.0).clip(-32768, 32767)
    columns = np.lib.stride_tricks.sliding_window_view(mfcc(samples), COLUMNS, axis=0)
    return columns[::COLUMNS_PER_FRAME][:windows].reshape(windows, 1, COEFFICIENTS, COLUMNS).copy()


def face_crops(frames: Iterable[np.ndarray], boxes: np.ndarray, side: int) -> np.ndarray:
    """Face crops (T, side, side, 3) uint8, as SyncNet knows them, of RGB frames (H, W, 3).

    boxes (T, 4) are in pixels; let half be half the box's longer side. As in run_pipeline.py (crop_scale 0.4)
    the crop is a square from 1 half above the box's centre to 1.8 below, and 1.4 to the left and right. Both
    go through a median over 13 frames, missing boxes (NaN) are interpolated, and outside of the picture it is
    grey. Other than there, the filter repeats the ends instead of zeros, squares are not rounded to pixels,
    and larger faces are averaged down, not sampled. Raises ValueError when no frame has a box.
    """
    squares = _squares(np.asarray(boxes, np.float64))
    return np.stack([_crop(*pair, side) for pair in zip(frames, squares, strict=True)])


def _squares(boxes: np.ndarray) -> np.ndarray:
    """x0, y0 and the side of each crop (T, 3)."""
    from scipy.ndimage import median_filter

    known = np.flatnonzero(np.isfinite(boxes).all(1))
    if len(known) == 0:
        raise ValueError(f"none of the {len(boxes)} frames has a face box: there are no lips to look at")
    x0, y0, x1, y1 = (np.interp(np.arange(len(boxes)), known, edge[known]) for edge in boxes.T)
    track = np.stack([(x0 + x1) / 2, (y0 + y1) / 2, np.maximum(x1 - x0, y1 - y0) / 2], 1)
    x, y, half = median_filter(track, (SMOOTHED, 1), mode="nearest").T
    return np.stack([x - (1 + CROP_SCALE) * half, y - half, 2 * (1 + CROP_SCALE) * half], 1)


def _crop(frame: np.ndarray, square: np.ndarray, side: int) -> np.ndarray:
    height, width = frame.shape[:2]
    x, y, length = square
    left, top, right, bottom = (int(v) for v in (*np.floor((x, y)), *np.ceil((x + length, y + length))))
    margins = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    inside = frame[max(top, 0) : bottom, max(left, 0) : right]
    picture = Image.fromarray(np.pad(inside, margins, constant_values=GREY))
    box = (x - left, y - top, x - left + length, y - top + length)
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box))
