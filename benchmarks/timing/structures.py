"""Random models of every structure, made where they run, and all that one clip of theirs reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from emo_modules.checkpoints.vae import VAE, build_vae
from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.families.table import RELEASES, face_cues
from emo_modules.models.conditions import Conditions, VideoConditions
from emo_modules.models.cpu import operations_for
from emo_modules.models.emo import EMO
from emo_modules.sampling.clips import Driving

FACE = (0.28, 0.2, 0.72, 0.8)  # of the picture's sides
HEAD_SPEED = 12.0
TINY_SIZE = 64
FEW: dict[str, Any] = {
    "block_out_channels": (16, 32),
    "attention_levels": (True, False),
    "layers_per_block": 1,
    "heads": 2,
    "norm_groups": 8,
}


def structure(name: str, size: int, tiny: bool = False) -> EMOConfig:
    """The paper's model or a relative's for pictures of `size` pixels; a tiny one has all of its parts at a
    few channels."""
    config = EMOConfig.sd15() if name == "emo" else RELEASES[name].config
    if tiny:
        config = replace(
            config,
            backbone=replace(config.backbone, **FEW),
            reference_net=replace(config.reference_net, **FEW),
            audio=replace(config.audio, hidden_dim=16),
            vae=config.vae | {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4},
        )
    return replace(config, width=size, height=size)


@contextmanager
def made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Modules made within are there from the start, in that type: the memory of a second copy may lack."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def random_model(config: EMOConfig, device: torch.device, dtype: torch.dtype) -> EMO:
    """As the command line has it. Layers that start at zero get values too: products of zeros take a GPU less
    power, which it turns into a higher clock."""
    with made_on(device, dtype):
        model = EMO(config, operations_for(device)).eval().requires_grad_(False)
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():
                nn.init.normal_(parameter, std=0.02)
    if device.type != "cpu":
        model.fuse()
    return model


def random_vae(config: EMOConfig, device: torch.device, dtype: torch.dtype) -> VAE:
    with made_on(device, dtype):
        return build_vae(config).eval().requires_grad_(False)


def read_video(model: EMO, portrait: Tensor) -> VideoConditions:
    """Of portrait latents (1, C, H, W)."""
    config = model.config
    face = Box(*(share * config.width for share in FACE))
    cues = face_cues(config, face, config.height, config.width).to(portrait.device, portrait.dtype)
    assert cues.picture is not None, f"{config.name} reads a picture for each frame"
    identity = config.quirks.identity
    embedding = None if identity is None else torch.randn(1, identity.embedding_dim).to(portrait)
    return model.conditioner().video(portrait, cues.picture, embedding, cues.regions)


def random_latents(config: EMOConfig, like: Tensor, *count: int) -> Tensor:
    """(*count, C, H, W)"""
    shape = (*count, config.latent_channels, config.height // 8, config.width // 8)
    return torch.randn(shape, device=like.device, dtype=like.dtype)


def driving(config: EMOConfig, frames: int) -> Driving:
    """Random sound of so many frames, and a head speed where the structure reads one."""
    rate = config.quirks.audio_row_rate or config.quirks.audio_rows * config.fps
    rows = torch.randn(round(rate * frames / config.fps), config.audio.layers, config.audio.feature_dim)
    speeds = torch.full((frames,), HEAD_SPEED) if config.backbone.speed_dim else None
    return Driving(rows, speeds)


@dataclass(frozen=True)
class Scene:
    """What a denoising pass over a clip reads that has another before it."""

    conditions: Conditions
    noisy: Tensor  # (F, C, H, W)
    timestep: Tensor  # ()

    @classmethod
    def of(cls, model: EMO) -> "Scene":
        config, like = model.config, next(model.parameters())
        frames, count = config.clip_frames, config.motion_frames
        video = read_video(model, random_latents(config, like, 1))
        audio, speeds, pictures, code = driving(config, frames).at(torch.arange(frames), config, like)
        motion = random_latents(config, like, 1, count) if count else None
        conditions = model.conditioner().clip(video, frames, audio, speeds, pictures, code, motion)
        noisy = random_latents(config, like, frames)
        return cls(conditions, noisy, torch.tensor(500, device=like.device))
