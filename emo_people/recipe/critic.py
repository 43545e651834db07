"""A small discriminator of eyes and mouths: what is drawn there must look real, not like the mean."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks.fit import channels_last

RATE = 2e-4


class PatchCritic(nn.Module):
    """Crops (N, 3, S, S) in -1..1 -> (N, 1, S/8, S/8), above 0 where they look real."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for a, b in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            steps += [nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*steps, nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, crops: Tensor) -> Tensor:
        judged: Tensor = self.net(crops)
        return judged


class Critic:
    """The discriminator with its optimizer. It learns from the crops of the step before, so that a captured
    step can go on using it."""

    def __init__(self, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = channels_last(PatchCritic()).to(device).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.net.parameters(), RATE, betas=(0.5, 0.9))
        self.seen: tuple[Tensor, Tensor] | None = None

    def fooled(self, made: Tensor, true: Tensor) -> Tensor:
        """What crops (N, 3, S, S) cost that do not look real; they are kept for the next `learn`."""
        self.seen = made.detach(), true.detach()
        return -self.net(made).mean()

    def learn(self) -> float:
        """One step by the hinge loss (arXiv 1705.02894) on the crops last seen. Returns the loss.

        Crops that are not finite, of an update that the training left out, teach nothing.
        """
        if self.seen is None:
            return 0.0
        made, true = self.seen
        self.net.requires_grad_(True)
        loss = F.relu(1 - self.net(true)).mean() + F.relu(1 + self.net(made)).mean()
        if loss.isfinite():
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.net.requires_grad_(False)
        return float(loss.detach())
