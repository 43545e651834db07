"""DeepCache (arXiv 2312.00858): what the Backbone's deep layers say changes little from one denoising step to
the next, so that a step may take it from the one before."""

import logging
from dataclasses import dataclass

from torch import Tensor

from ..config import EMOConfig, UNetConfig

OFF, MOST_INTERVAL = 1, 3


@dataclass
class DeepFeatures:
    """(B*F, C, H, W) of one half of guidance; None where the next pass has to make them."""

    kept: Tensor | None = None

    def of(self, x: Tensor) -> Tensor | None:
        """What can be read for so many frames: guidance's halves may come in one batch, or one by one."""
        return self.kept if self.kept is not None and len(self.kept) == len(x) else None


class DeepCache:
    """Of one clip: whoever solves the next one makes another, and with it nothing of this one is left.

    The deep layers are computed at the first step and at every `interval`-th one after it.
    """

    def __init__(self, interval: int) -> None:
        self.cond, self.uncond = DeepFeatures(), DeepFeatures()
        self._interval, self._begun = interval, 0

    def begin_step(self) -> None:
        """Before the passes of each step. Not in them: torch.compile would make a graph for every count."""
        if self._begun % self._interval == 0:
            self.cond.kept = self.uncond.kept = None
        self._begun += 1


def deep_channels(config: UNetConfig) -> int:
    """Channels of `DeepFeatures`, which have as many places as the UNet's input."""
    widths = config.block_out_channels
    return widths[0] if config.layers_per_block > 1 else widths[:2][-1]


def check_deep_cache(interval: int, config: EMOConfig | None = None) -> None:
    """Raises ValueError for an interval that cannot be, and for a model that has no use for one."""
    if not OFF <= interval <= MOST_INTERVAL:
        raise ValueError(
            f"DeepCache computes the deep layers at every step (1, off), second (2) or third one (3), got "
            f"{interval}"
        )
    if interval > OFF and config is not None and config.quirks.windows:
        raise ValueError(
            f"{config.name} takes each step over the whole video, whose deep features would all have to be "
            f"kept: DeepCache is for models that go clip by clip, leave it at {OFF}"
        )


def warn_if_idle(interval: int, steps: int, log: logging.Logger) -> None:
    """Says it where a clip takes one step, which has none before it."""
    if interval > OFF and steps == 1:
        log.warning("a clip takes one step, and DeepCache does nothing: there is no step before it")
