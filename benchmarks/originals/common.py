"""Shared by the modules that run an original's own code: weights, stub VAE, inputs, command line.

Each module needs an interpreter that has the original's libraries, not this project's, so nothing here
imports emo_modules. Run one as `python -m benchmarks.originals.NAME` from the root of the repository.
"""

import argparse
import importlib.machinery
import json
import math
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Before the stubs below: diffusers asks importlib for each optional library once, when it is imported.
import diffusers  # noqa: F401
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.originals.kernels import KERNELS, take_kernels
from benchmarks.originals.meter import StepTimer, now, peak_bytes, report, reset_peak

Scene = dict[str, Any]  # width, height, frames, steps, cfg, seed, context_frames, context_overlap

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
VAE_SCALE = 0.18215
LATENT_STRIDE = 8

# unet/config.json of runwayml/stable-diffusion-v1-5.
SD15_UNET = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}

# What every from_pretrained_2d / from_config_2d of the originals puts over the 2D configuration.
SD15_UNET_3D = SD15_UNET | {
    "down_block_types": ["CrossAttnDownBlock3D"] * 3 + ["DownBlock3D"],
    "up_block_types": ["UpBlock3D"] + ["CrossAttnUpBlock3D"] * 3,
    "mid_block_type": "UNetMidBlock3DCrossAttn",
}

# config.json of stabilityai/sd-vae-ft-mse.
SD15_VAE = {
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


@dataclass
class Job:
    """What a module's `load` is given: where the code and weights are and what the clip is made of."""

    original: Path
    variant: str
    weights: Path
    vae: Path | None
    inputs: dict[str, Tensor]
    scene: Scene
    device: str = "cpu"
    dtype: torch.dtype = torch.float32


@dataclass
class Loaded:
    """What `load` gives back: `clip()` denoises the whole clip and returns what the pipeline returns as
    video (batch, 3, F, H, W) in 0..1; `networks` are all of them; `keys` is the number of tensors loaded from
    the weights."""

    scheduler: Any  # an original's own
    denoiser: nn.Module
    vae: nn.Module
    networks: list[nn.Module]
    clip: Callable[[], Tensor]
    keys: int


def use_checkout(original: Path, *missing: str) -> None:
    """Makes the checkout's packages importable, and an empty module of each `missing` import."""
    for name in missing:
        stub = types.ModuleType(name)
        stub.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = stub
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, stub)
    sys.path.insert(0, str(original))


def fill_trivial(module: nn.Module, seed: int) -> nn.Module:
    """Gives small random values to every parameter that starts at all zeros or all ones.

    A zero convolution, a norm's affine pair and a motion module's last projection would otherwise hide a
    wrong order, a missing term or a swapped pair. Matrices get the scale 1 / sqrt(3 inputs) that PyTorch's
    default layers have, vectors 0.1. Returns the module.
    """
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            start = float(weight.flatten()[0])
            if start in (0.0, 1.0) and bool((weight == start).all()):
                inputs = weight[0].numel() if weight.ndim > 1 else 0
                scale = 1 / math.sqrt(3 * inputs) if inputs else 0.1
                weight.copy_(start + scale * torch.randn(weight.shape, generator=draw))
    return module


def he_convolutions(module: nn.Module) -> nn.Module:
    """Draws every convolution's weight anew at the scale that keeps a signal's size through many layers.

    For the picture encoders: PyTorch's default halves differences at each layer, so that after eight of
    them the picture hardly counts. Draws from torch's global generator; returns the module.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(layer.weight)
    return module


def read_state(path: Path) -> dict[str, Tensor]:
    """A torch.save'd state dict, mapped from the file: the originals copy it into memory first, which
    on a small machine is the difference between one copy of the weights and two."""
    return torch.load(path, map_location="cpu", mmap=True)


class StubVae(nn.Module):
    """Stands in for the VAE: `encode` gives the latents (N, 4, h, w) it was made with, whatever the N
    pictures are, and `decode` keeps the latents it is shown and returns black pictures."""

    def __init__(self, latents: Tensor):
        super().__init__()
        self.encoded: Tensor
        self.register_buffer("encoded", latents / VAE_SCALE)
        self.seen: list[Tensor] = []
        self.config = SimpleNamespace(
            block_out_channels=SD15_VAE["block_out_channels"], scaling_factor=VAE_SCALE
        )

    @property
    def dtype(self) -> torch.dtype:
        return self.encoded.dtype

    @property
    def device(self) -> torch.device:
        return self.encoded.device

    def encode(self, pictures: Tensor) -> SimpleNamespace:
        """Pictures (N, 3, H, W) to an object whose latent_dist has `mean` and `sample()`.

        Raises ValueError when N is not the number of latents.
        """
        if len(pictures) != len(self.encoded):
            raise ValueError(f"{len(pictures)} pictures to encode, latents for {len(self.encoded)}")
        chosen = SimpleNamespace(mean=self.encoded, sample=lambda *_: self.encoded)
        return SimpleNamespace(latent_dist=chosen)

    def decode(self, latents: Tensor, **unused: object) -> SimpleNamespace:
        """Latents (N, 4, h, w) over VAE_SCALE to an object with `sample` (N, 3, 8h, 8w), zeros."""
        self.seen.append(latents.detach() * VAE_SCALE)
        count, _, height, width = latents.shape
        size = (count, 3, height * LATENT_STRIDE, width * LATENT_STRIDE)
        return SimpleNamespace(sample=torch.zeros(size))


def load_vae(job: Job, latents: Tensor) -> nn.Module:
    """The real AutoencoderKL of the job's file, or a StubVae of `latents` (N, 4, h, w) without one."""
    if job.vae is None:
        return StubVae(latents)
    vae: Any = AutoencoderKL(**SD15_VAE)  # diffusers is not typed
    vae.load_state_dict(load_file(job.vae))
    return vae.eval().requires_grad_(False).to(job.device, job.dtype)


def fix_noise(pipeline: Any, noise: Tensor) -> None:
    """Makes prepare_latents return the input's noise (F, 4, h, w) as (1, 4, F, h, w), sigma 1 as in DDIM."""
    start = noise.transpose(0, 1)[None].contiguous()
    pipeline.prepare_latents = lambda *_, **__: start.clone()


def latent_size(scene: Scene) -> tuple[int, int]:
    """(h, w) of the scene's latents."""
    return scene["height"] // LATENT_STRIDE, scene["width"] // LATENT_STRIDE


def base_inputs(scene: Scene, image: bool) -> tuple[dict[str, Tensor], torch.Generator]:
    """The inputs every original has, and the generator to draw its others from.

    Returns {"noise": (F, 4, h, w), "portrait": (1, 4, h, w)} and, if asked, "image" (3, H, W) in -1..1.
    """
    draw = torch.Generator().manual_seed(scene["seed"])
    size = latent_size(scene)
    inputs = {
        "noise": torch.randn(scene["frames"], 4, *size, generator=draw),
        "portrait": torch.randn(1, 4, *size, generator=draw),
    }
    if image:
        inputs["image"] = smooth_picture(draw, 3, scene["height"], scene["width"]) * 2 - 1
    return inputs, draw


def smooth_picture(draw: torch.Generator, *shape: int) -> Tensor:
    """Random picture or pictures (..., H, W) in 0..1 without detail finer than an eighth of a side."""
    *leading, height, width = shape
    coarse = torch.rand(1, math.prod(leading), 8, 8, generator=draw)
    fine = nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    return fine.reshape(shape)


def run(job: Job, load: Callable[[Job], Loaded], kernels: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """One clip through the original. Returns the file to write, "latents" (F, 4, h, w) or with a VAE
    "frames" (F, 3, H, W) in 0..1, and the report."""
    loaded = load(job)
    take_kernels(kernels, loaded.networks)
    ready = now(job.device)
    timer = StepTimer(loaded.scheduler, loaded.denoiser, job.device)
    load_peak = peak_bytes(job.device)
    reset_peak(job.device)
    video = loaded.clip()
    seconds = now(job.device) - ready
    found = report(timer.seconds, timer.counts, seconds, load_peak, job.device)
    return _result(loaded.vae, video), found | {"keys": loaded.keys}


def _result(vae: nn.Module, video: Tensor) -> dict[str, Tensor]:
    if isinstance(vae, StubVae):
        return {"latents": torch.cat(vae.seen).float().cpu()}
    return {"frames": video[0].transpose(0, 1).contiguous()}


def main(
    variants: tuple[str, ...],
    write_weights: Callable[[Path, str, Path, int], None],
    make_inputs: Callable[[str, Scene, bool], dict[str, Tensor]],
    load: Callable[[Job], Loaded],
) -> None:
    """The command line every module has: weights, inputs, run."""
    args = _parser(variants).parse_args()
    if args.command == "weights":
        args.folder.mkdir(parents=True, exist_ok=True)
        write_weights(args.original, args.variant, args.folder, args.seed)
        return
    scene = json.loads(args.scene.read_text())
    if args.command == "inputs":
        save_file(make_inputs(args.variant, scene, args.vae), args.out)
        return
    torch.set_num_threads(args.threads)
    dtype = DTYPES[args.dtype]
    inputs = {name: value.to(args.device, dtype) for name, value in load_file(args.inputs).items()}
    job = Job(args.original, args.variant, args.weights, args.vae, inputs, scene, args.device, dtype)
    result, found = run(job, load, args.kernels)
    save_file(result, args.out)
    args.report.write_text(json.dumps(found, indent=1) + "\n")


def _parser(variants: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    weights = commands.add_parser("weights", help="write random weights of the full architecture")
    weights.add_argument("--folder", type=Path, required=True)
    weights.add_argument("--seed", type=int, required=True)
    inputs = commands.add_parser("inputs", help="write random inputs for a scene")
    inputs.add_argument("--vae", action="store_true", help="add the picture that a real VAE encodes")
    clip = commands.add_parser("run", help="denoise a clip")
    clip.add_argument("--vae", type=Path, help="safetensors of an AutoencoderKL of SD1.5's shape")
    clip.add_argument("--threads", type=int, required=True)
    clip.add_argument("--device", default="cpu")
    clip.add_argument("--dtype", choices=sorted(DTYPES), default="fp32")
    clip.add_argument("--kernels", choices=KERNELS, default="released")
    for name in ("weights", "inputs", "report"):
        clip.add_argument(f"--{name}", type=Path, required=True)
    for command in (weights, inputs, clip):
        command.add_argument("--variant", choices=variants, required=True)
    for command in (weights, clip):
        command.add_argument("--original", type=Path, required=True, help="checkout of the original")
    for command in (inputs, clip):
        command.add_argument("--scene", type=Path, required=True)
        command.add_argument("--out", type=Path, required=True)
    return parser
