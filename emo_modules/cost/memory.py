"""How much memory a rendering takes at its most, from the configuration and what was measured once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config import EMOConfig
from ..media.audio import SAMPLE_RATE
from ..models.deep_cache import OFF, deep_channels
from ..sampling.decode import DECODE_BATCH
from ..writing.room import LARGE
from .work import Work

MIB = 2**20
FLOAT = 4  # bytes
# Of a process that has loaded a model, without its weights: Python, torch, PyAV.
LIBRARIES = 290 * MIB
DIFFUSERS = 210 * MIB  # with transformers, which it loads; for every VAE but the built-in model's
# What kernels and the allocator hold besides, once the network has run for a while on a CPU.
KERNELS = 120 * MIB
# H.264's look-ahead: so much at any size, and so many bytes for each of a frame's pixels.
ENCODER, ENCODER_PER_PIXEL = 25 * MIB, 260
# A clip's frames as they are decoded, joined, brought to 0..1 and written, while the next one comes.
FRAME_COPIES = 4
# The latents of a whole video, for weights that denoise it in windows: noise, input, prediction and result.
WINDOW_COPIES = 4
# Activations of one denoising pass, in elements of the compute type per place, frame and channel of the
# first level: benchmarks/activations.py finds 29 to 34 for latents of 32 x 32 and more.
ACTIVATIONS_PER_PIXEL = 34
# Of a VAE's decoder likewise, per channel of its finest level: which field has the channels, how many of
# the picture's pixels are one place of that level, and how many elements.
DECODERS = {
    "AutoencoderKL": ("block_out_channels", 0, 1, 6.0),
    "AutoencoderTiny": ("decoder_block_out_channels", -1, 1, 3.0),
    "PatchVAE": ("widths", -1, 4, 3.4),
}
DEFAULT_CHANNELS = 64  # where the configuration leaves them to diffusers


@dataclass(frozen=True)
class Weights:
    """Parameters of a checkpoint and what stands beside it: all of them, and ReferenceNet's."""

    all: int
    reference_net: int

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], *beside: Path) -> "Weights":
        """`beside` are files of their own, in fp32 as they are published, or folders with such."""
        counts = {key: value.numel() for key, value in tensors.items()}
        net = sum(count for key, count in counts.items() if key.startswith("reference_net."))
        return cls(sum(counts.values()) + sum(map(_size, beside)) // FLOAT, net)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@dataclass(frozen=True)
class Memory:
    """Bytes at the most: main memory, and that of a GPU if it computes."""

    main: int
    graphics: int | None = None


def memory(work: Work, weights: Weights, lean: bool = False) -> Memory:
    """Of a process of its own. `lean` holds ReferenceNet only while it reads."""
    size = work.dtype.itemsize
    computing = max(denoising_bytes(work), decoding_bytes(work))
    if lean:
        model = (weights.all - weights.reference_net) * size
        computing = max(computing, weights.reference_net * size)
    else:
        model = weights.all * size
    own = work.config.vae.get("_class_name") == "PatchVAE"
    beside = LIBRARIES + (0 if own else DIFFUSERS) + writing_bytes(work) + length_bytes(work)
    if torch.device(work.device).type == "cpu":
        return Memory(int(beside + KERNELS + model + computing))
    return Memory(int(beside + KERNELS), int(model + computing))


def denoising_bytes(work: Work) -> float:
    """Of one clip; a model that moves portraits draws at its own size, whatever the video's."""
    config = work.config
    width, height = (config.width, config.height) if config.moving else (work.width, work.height)
    size = config.clip_frames, height // 8, width // 8, work.dtype
    kept = 0.0 if work.deep_cache == OFF else deep_cache_bytes(config, *size)
    return activation_bytes(config, *size) + (kept if work.passes() > work.steps else kept / 2)


def activation_bytes(config: EMOConfig, frames: float, height: int, width: int, dtype: torch.dtype) -> float:
    """Of one pass over latents of this size."""
    places = height * width / config.backbone.patch**2
    elements = frames * places * config.backbone.block_out_channels[0] * ACTIVATIONS_PER_PIXEL
    return elements * dtype.itemsize


def deep_cache_bytes(config: EMOConfig, frames: float, height: int, width: int, dtype: torch.dtype) -> float:
    """Of what DeepCache keeps of both halves of guidance, for latents of this size."""
    places = height * width / config.backbone.patch**2
    return 2 * frames * places * deep_channels(config.backbone) * dtype.itemsize


def decoding_bytes(work: Work) -> float:
    """Of as many frames as are decoded at once."""
    field, level, pixels, elements = DECODERS.get(
        work.config.vae.get("_class_name", ""), DECODERS["AutoencoderKL"]
    )
    channels = work.config.vae.get(field, [DEFAULT_CHANNELS])[level]
    places = work.width * work.height / pixels
    return DECODE_BATCH * places * channels * elements * work.dtype.itemsize


def writing_bytes(work: Work) -> float:
    """Of a clip's frames, and of the film's encoder."""
    pixels = work.width * work.height
    frames = FRAME_COPIES * work.config.clip_frames * 3 * FLOAT * pixels
    return frames + ENCODER + ENCODER_PER_PIXEL * pixels


def length_bytes(work: Work) -> float:
    """What grows with the sound; what is large enough to be on disk is left out."""
    config = work.config
    mono = work.sound * SAMPLE_RATE * FLOAT
    rows = work.sound * config.fps * config.quirks.audio_rows
    features = rows * config.audio.layers * config.audio.feature_dim * FLOAT
    total = work.sound_bytes + 2 * mono + (features if features <= LARGE else 0)
    if config.quirks.windows:
        total += WINDOW_COPIES * latent_bytes(work)
    return total


def latent_bytes(work: Work) -> int:
    """Of the whole video, in fp32."""
    places = work.width * work.height // 64
    return work.frames * work.config.latent_channels * places * FLOAT


def free_main_memory() -> int | None:
    """Bytes that programs can still get; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def free_graphics_memory(device: str) -> int | None:
    """Bytes; None for what is no CUDA device."""
    if torch.device(device).type != "cuda":
        return None
    return torch.cuda.mem_get_info(device)[0]
