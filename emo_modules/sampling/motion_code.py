"""What neither sound nor portrait decides, drawn from the seed as noise is: a motion code; not in the paper.

Noise that is drawn for every clip says nothing a regression could keep: denoised in few steps, heads come to
rest and lids stay open. A code is a path, smooth in time, of numbers that are standard normal in every frame,
so that a seed is a performance. Three of them are the head's turn from the portrait, in units that head speed
scales; the fourth shuts the lids where it is high.
"""

import math
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import count, islice

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import EMOConfig
from ..models.conditioning import MOTION_CODE

# Of the low-pass filters that make paths of white noise, fitted to heads that speak and lids that blink
CORNERS = (1.17, 1.46, 1.03, 1.5)  # Hz
POLES = 3
CALM = 0.8  # seconds after which a path has forgotten what moved it
BEGIN = 0.5  # seconds within which the head leaves the portrait's pose
PAST = 4.0  # seconds of noise that are remembered
BLOCK = 100  # frames whose noise is drawn at once
SHUTTING = 1.28  # above it lids begin to shut: a tenth of the time
SHUT = 1.53  # and are shut
QUICK = 2.0  # by how much faster a path goes from one to the other: lids seldom stop half way


def motion_code(config: EMOConfig, frames: int, seed: int, earlier: int = 0) -> Tensor | None:
    """(F, MOTION_CODE) of a whole video, or, after `earlier` frames of the same seed, of what follows; the
    same for the same seed on every device. None for weights that read none."""
    if not config.motion_code:
        return None
    blocks = islice(_blocks(config.fps, seed), -(-(earlier + frames) // BLOCK))
    return torch.cat([*blocks])[earlier : earlier + frames]


class EndlessCode:
    """`motion_code` of a video whose end nobody knows: rows are asked for in their order, and those before
    the last ones are forgotten."""

    def __init__(
        self,
        config: EMOConfig,
        seed: int,
        earlier: int = 0,
        frames: Callable[[], int | None] = lambda: None,  # how many there are, once that is known
    ) -> None:
        self._blocks, self._frames = _blocks(config.fps, seed), frames
        self._earlier, self._first, self._rows = earlier, 0, torch.empty(0, MOTION_CODE)

    def __len__(self) -> int:
        return self._frames() or sys.maxsize

    def __getitem__(self, frames: Tensor) -> Tensor:
        """Of the frames with these numbers (N,), which grow: (N, MOTION_CODE)."""
        wanted = self._earlier + frames
        while int(wanted[-1]) >= self._first + len(self._rows):
            done = min(int(wanted[0]) - self._first, len(self._rows))
            self._rows = torch.cat([self._rows[done:], next(self._blocks)])
            self._first += done
        return self._rows[wanted - self._first]


def _blocks(fps: float, seed: int) -> Iterator[Tensor]:
    """A performance without end, (BLOCK, MOTION_CODE) at a time: what torch draws for a frame, and how it
    rounds, depends on how many it takes at once."""
    generator = torch.Generator().manual_seed((seed + 2) % 2**64)  # another than the noises have
    past = round(PAST * fps)
    white = torch.randn(past, MOTION_CODE, generator=generator)
    for first in count(0, BLOCK):
        white = torch.cat([white[-past:], torch.randn(BLOCK, MOTION_CODE, generator=generator)])
        path = paths(white.T[None].contiguous(), fps)[0]
        phase = (torch.arange(first, first + BLOCK) / (BEGIN * fps)).clamp(max=1)
        path[:, :3] *= (phase**2 * (3 - 2 * phase))[:, None]
        path[:, 3] += QUICK * (path[:, 3] - SHUTTING).clamp(0, SHUT - SHUTTING)
        yield path


def paths(white: Tensor, fps: float) -> Tensor:
    """White noise (B, MOTION_CODE, past + F) -> paths (B, F, MOTION_CODE) of unit variance."""
    responses = torch.stack([response(corner, fps) for corner in CORNERS])[:, None].to(white)
    return F.conv1d(white[..., 1:], responses, groups=MOTION_CODE).transpose(1, 2)


@lru_cache(maxsize=16)
def response(corner: float, fps: float) -> Tensor:
    """(past,) of POLES low-pass filters in a row, less what changes slowly; of unit energy, latest last."""
    impulse = [1.0] + [0.0] * (round(PAST * fps) - 1)
    for _ in range(POLES):
        impulse = low_pass(impulse, 1 / (2 * math.pi * corner), fps)
    slow = low_pass(impulse, CALM, fps)
    taps = torch.tensor([a - b for a, b in zip(impulse, slow, strict=True)])
    return (taps / taps.norm()).flip(0)


def low_pass(curve: list[float], seconds: float, fps: float) -> list[float]:
    share, state, passed = 1 - math.exp(-1 / (seconds * fps)), 0.0, []
    for value in curve:
        state += share * (value - state)
        passed.append(state)
    return passed
