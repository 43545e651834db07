"""Sample sheets: what the model makes of held-out clips while it trains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..data.clip_set import ClipSet, Sampling, sample_batch
from ..models.emo import EMO
from ..sampling.noise import clip_noise
from ..sampling.solver import Solver


@torch.no_grad()
def generate_batch(
    model: EMO, clips: ClipSet, rows: int, steps: int, with_speed: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Portraits (B, C, H, W), true and generated latents (B, F, C, H, W) of the same random held-out
    clips."""
    generator = torch.Generator().manual_seed(7)
    config = model.config
    everything = Sampling(
        rows,
        config.clip_frames,
        config.motion_frames,
        first_clip=0,
        drop_reference=0,
        drop_audio=0,
        drop_both=0,
        whole_region=0,
        portrait_share=0,
    )
    device = next(model.parameters()).device
    batch = sample_batch(clips, config, everything, generator).to(device)
    video = model.video_conditions(batch.reference, batch.mask)
    speeds = batch.speeds if with_speed else None
    conditions = model.clip_conditions(video, config.clip_frames, batch.audio, None, speeds)
    noise = clip_noise(batch.latents.shape, config.schedule.shared_noise, generator).to(device)
    made = Solver(model, steps=steps, cfg=1.0)(noise.flatten(0, 1), conditions)
    return batch.reference, batch.latents, made.unflatten(0, batch.latents.shape[:2])


@torch.no_grad()
def write_sample_sheet(
    path: Path,
    model: EMO,
    vae: nn.Module,
    clips: ClipSet,
    rows: int = 4,
    steps: int = 8,
    with_speed: bool = False,
) -> None:
    """Two lines a clip: portrait and true frames, portrait and generated frames."""
    model.eval()
    portraits, truth, made = generate_batch(model, clips, rows, steps, with_speed)
    lines = []
    for row in range(rows):
        for frames in (truth[row], made[row]):
            lines.append(torch.cat([portraits[row : row + 1], frames[::2]]))
    home = next(vae.parameters()).device
    pictures = torch.stack([vae.decode(line.to(home)) for line in lines]).clamp(-1, 1).cpu()
    grid = pictures.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(((grid + 1) * 127.5).round().byte().numpy().astype(np.uint8)).save(path)


def sheet_drawer(vae: nn.Module, clips: ClipSet, with_speed: bool) -> Callable[[EMO, Path], None]:
    """What `Trainer` calls at every save."""

    def draw(model: EMO, path: Path) -> None:
        write_sample_sheet(path, model, vae, clips, steps=model.config.schedule.steps, with_speed=with_speed)

    return draw
