"""How much there is to do, and what decides how fast it goes."""

from dataclasses import dataclass

import torch

from ..config import EMOConfig
from ..models.deep_cache import OFF
from ..sampling.clips import clip_count


@dataclass(frozen=True)
class Work:
    """A rendering of `frames` frames of `width` x `height` pixels, for which `sound` seconds are heard.

    `how` is what else decides the speed, such as the sampler.
    """

    config: EMOConfig
    frames: int
    sound: float
    width: int
    height: int
    steps: int
    cfg: float
    guided_steps: tuple[float, float] = (0.0, 1.0)
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    how: str = ""
    sound_bytes: int = 0  # of the waveform as it was read
    deep_cache: int = OFF  # of so many steps one computes the deep layers

    @property
    def clips(self) -> int:
        return -(-self.frames // self.config.clip_frames)

    @property
    def all_steps(self) -> int:
        """Of all clips; windows take each of them over the whole video."""
        return clip_count(self.frames, self.config) * self.steps

    @property
    def solved_frames(self) -> int:
        """Those that are denoised: the last clip is as whole as the others."""
        return self.frames if self.config.quirks.windows else self.config.whole_clips(self.frames)

    def passes(self) -> int:
        """Of a clip through the Backbone: guided steps take two."""
        return self.steps + round(self._guided(1.0))

    def passes_of(self, share: float) -> float:
        """For this share of the steps."""
        return share * self.steps + self._guided(share)

    def _guided(self, share: float) -> float:
        """How many of this share of the steps are guided."""
        if self.cfg == 1:
            return 0.0
        first, last = (round(end * self.steps) for end in self.guided_steps)
        done = share * self.steps
        return min(done, last) - min(done, first)

    @property
    def key(self) -> str:
        """Renderings with the same key have the same rates on one machine."""
        kind = torch.device(self.device).type
        guided = "guided" if self.passes() > self.steps else "unguided"
        size, dtype = f"{self.width}x{self.height}", str(self.dtype).removeprefix("torch.")
        threads = f"{torch.get_num_threads()} threads"
        cached = "" if self.deep_cache == OFF else f"DeepCache {self.deep_cache}"
        return ", ".join(
            filter(None, (self.config.name, kind, dtype, size, guided, threads, cached, self.how))
        )
