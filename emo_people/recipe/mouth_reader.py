"""A frozen reader of the mouth in clean latents: SyncNet-like supervision for the demo. Not part of the
paper."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_training.training.sample_set import SampleSet


class MouthReader(nn.Module):
    """Latents (N, C, H, W) -> mouth opening and width (N, 2)."""

    def __init__(self, channels: int, width: int = 48):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width * 2, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(width * 2, width * 2, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width * 2, width * 2, 3, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.LazyLinear(128),
            nn.SiLU(),
            nn.Linear(128, 2),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents)


def train_mouth_reader(
    clips: SampleSet, steps: int = 900, batch: int = 128, lr: float = 2e-3, seed: int = 0
) -> tuple[MouthReader, float]:
    """Fit on noised latents; returns the frozen reader and the opening's R2 on the last tenth of the
    clips."""
    generator = torch.Generator().manual_seed(seed)
    split = len(clips) * 9 // 10
    latents, mouth = clips.latents.flatten(0, 1), clips.mouth.flatten(0, 1)
    train = split * clips.latents.shape[1]
    reader = MouthReader(latents.shape[1])
    reader(latents[:1].float())
    optimizer = torch.optim.AdamW(reader.parameters(), lr=lr, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        picks = torch.randint(train, (batch,), generator=generator)
        level = 0.3 * torch.rand(batch, 1, 1, 1, generator=generator)
        noisy = latents[picks].float() + level * torch.randn(batch, *latents.shape[1:], generator=generator)
        loss = F.mse_loss(reader(noisy), mouth[picks])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    reader.requires_grad_(False).eval()
    truth = mouth[train:, 0]
    error = (reader(latents[train:].float())[:, 0] - truth).square().mean()
    return reader, float(1 - error / truth.var())
