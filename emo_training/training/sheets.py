"""Sheets: what the model makes of held-out samples while it trains, beside what is true."""

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.sampling.noise import first_noise
from emo_modules.sampling.solver import Solver
from emo_modules.schedule import FewSteps
from emo_modules.writing.pictures import save_picture

from .lora import STUDENT, use_lora
from .sample_set import Batch, Draw
from .stages import Stage


def sheet_draw(config: EMOConfig, rows: int, clips: bool = True) -> Draw:
    """Whole clips, or single pictures, with every condition, as at inference."""
    return Draw(
        rows,
        config.clip_frames if clips else 1,
        config.motion_frames if clips else 0,
        first_clip=0,
        drop_reference=0,
        drop_audio=0,
        drop_both=0,
        whole_region=0,
        portrait_share=0,
        successive=clips,
    )


@torch.no_grad()
def generate_batch(
    model: EMO, batch: Batch, steps: int, stage: Stage, solver: str = "ddim", cfg: float = 1.0
) -> Tensor:
    """Latents (B, F, C, H, W) that the model makes of a batch's portraits, and of what else the stage has:
    sound and head speeds."""
    generator = torch.Generator().manual_seed(7)
    config, device = model.config, next(model.parameters()).device
    conditioner = model.conditioner()
    noise = first_noise(config, batch.latents.shape, generator).to(device)
    frozen_half = any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    with torch.autocast(device.type, torch.bfloat16, enabled=frozen_half):  # `store_frozen`
        video, frames = conditioner.video(**batch.of_video()), batch.latents.shape[1]
        if stage.clips:
            conditions = conditioner.clip(video, frames, **batch.of_clip(stage.speed))
        else:
            conditions = conditioner.stills(video, frames, **batch.of_stills())
        made = Solver(model, solver, steps, cfg)(noise.flatten(0, 1), conditions)
    return made.unflatten(0, batch.latents.shape[:2])


@torch.no_grad()
def write_sheet(
    path: Path, model: EMO, vae: VAE, batch: Batch, steps: int, stage: Stage, solver: str = "ddim"
) -> Tensor:
    """Two lines a clip: portrait and true frames, portrait and generated frames; every second one is drawn.

    Returns the video (F, H, W, 3) uint8: the clips side by side, true ones above, generated ones below.
    """
    model.eval()
    batch = batch.to(next(model.parameters()).device)
    made = generate_batch(model, batch, steps, stage, solver)
    lines = torch.stack([batch.latents, made], dim=1).flatten(0, 1)
    portraits = batch.reference.repeat_interleave(2, dim=0)[:, None]
    home = next(vae.parameters()).device
    decoded = [vae.decode(line.to(home)) for line in torch.cat([portraits, lines], dim=1)]
    pictures = signed_to_bytes(torch.stack(decoded))
    grid = torch.cat([pictures[:, :1], pictures[:, 1::2]], dim=1)
    save_picture(path, Image.fromarray(grid.transpose(1, 2).flatten(2, 3).flatten(0, 1).numpy()))
    return side_by_side(pictures[:, 1:])


def signed_to_bytes(pictures: Tensor) -> Tensor:
    """(..., 3, H, W) in -1..1 -> (..., H, W, 3) uint8 on the CPU."""
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1).cpu()


def side_by_side(clips: Tensor) -> Tensor:
    """Clips (2B, F, H, W, 3) in pairs -> (F, 2H, B*W, 3)."""
    pairs = clips.unflatten(0, (-1, 2))  # (B, 2, F, H, W, 3)
    return pairs.permute(2, 1, 3, 0, 4, 5).flatten(3, 4).flatten(1, 2).contiguous()


def sheet_drawer(
    vae: VAE, batch: Batch, stage: Stage, few: FewSteps | None = None
) -> Callable[[EMO, Path], Tensor]:
    """What `Trainer` calls at every save; with `few` the student of a distillation draws."""

    def draw(model: EMO, path: Path) -> Tensor:
        if few is None:
            return write_sheet(path, model, vae, batch, model.config.schedule.steps, stage)
        use_lora(model, STUDENT)
        return write_sheet(path, model, vae, batch, few.steps, stage, few.solver)

    return draw
