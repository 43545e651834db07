"""A frozen reader of the mouth in clean latents: SyncNet-like supervision, which is not part of the paper."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_training.training.sample_set import SampleSet

from ..networks.fit import Log, OneCycle, fit

BATCH = 128  # latents of a step


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


def train_mouth_reader(samples: SampleSet, steps: int, log: Log = print) -> MouthReader:
    """Fits on noised latents; logs the opening's R2 on the last tenth of the samples."""
    generator = torch.Generator().manual_seed(0)
    split = len(samples) * 9 // 10
    latents, mouth = samples.latents.flatten(0, 1), samples.mouth.flatten(0, 1)
    train = split * samples.latents.shape[1]
    reader = MouthReader(latents.shape[1])
    reader(latents[:1].float())

    def loss() -> dict[str, Tensor]:
        picks = torch.randint(train, (BATCH,), generator=generator)
        level = 0.3 * torch.rand(BATCH, 1, 1, 1, generator=generator)
        noisy = latents[picks].float() + level * torch.randn(BATCH, *latents.shape[1:], generator=generator)
        return {"mouth": F.mse_loss(reader(noisy), mouth[picks])}

    fit(reader, loss, OneCycle(steps, 2e-3), "mouth reader", log)
    truth = mouth[train:, 0]
    error = (reader(latents[train:].float())[:, 0] - truth).square().mean()
    log(f"mouth reader on latents: R2 {float(1 - error / truth.var()):.3f}")
    return reader
