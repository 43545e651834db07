"""One clip of random numbers, with all that a structure reads, again and again."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_training.training.batch_sources import Drawn
from emo_training.training.relatives import IBUG_POINTS, ClipCues, Faces, relative_batch, relative_of
from emo_training.training.sample_set import Batch, box_masks
from emo_training.training.stages import Stage

INSIDE = (0.25, 0.25, 0.75, 0.75)  # the face, as shares of the picture


def random_clip(config: EMOConfig, stage: Stage, frames: int) -> Batch:
    """B=1, on the CPU; of a stage of pictures there is no past. All conditions are kept."""
    generator, audio, kept = torch.Generator().manual_seed(0), config.audio, torch.ones(1)
    latent = (config.latent_channels, config.height // 8, config.width // 8)

    def draw(*shape: int) -> Tensor:
        return torch.randn(1, *shape, generator=generator)

    batch = Batch(
        latents=draw(frames, *latent),
        motion=draw(config.motion_frames if stage.clips else 0, *latent),
        motion_kept=kept,
        reference=draw(*latent),
        reference_kept=kept,
        audio=draw(frames, config.window_rows, audio.layers, audio.feature_dim),
        audio_kept=kept,
        mask=box_masks(torch.tensor([INSIDE]), config.height, config.width),
        speeds=20 * torch.rand(1, frames, generator=generator),
    )
    identity = config.quirks.identity
    cues, embedding = random_cues(config, frames), draw(identity.embedding_dim if identity else 0)
    return batch if cues is None else relative_batch(batch, cues, embedding, config)


def random_cues(config: EMOConfig, frames: int) -> ClipCues | None:
    """Of a face that stays where it is, its points anywhere inside; None for EMO itself."""
    relative = relative_of(config)
    if relative is None:
        return None
    x0, y0, x1, y1 = INSIDE
    box = Box(x0 * config.width, y0 * config.height, x1 * config.width, y1 * config.height)
    inside = torch.rand(IBUG_POINTS, 2, generator=torch.Generator().manual_seed(1))
    points = torch.tensor([box.x0, box.y0]) + inside * torch.tensor([box.width, box.height])
    cues = relative.cues(Faces([box] * frames, [points] * frames, config.height, config.width))
    return ClipCues(*(part[None] for part in cues))


class OneClip:
    """A `BatchSource` of the same clip under the same noise at the same timestep."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]:
        for _ in microbatches:
            yield self.batch, torch.Generator().manual_seed(2)

    def names(self, microbatch: int) -> list[str]:
        return ["the one clip"]
