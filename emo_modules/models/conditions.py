"""What the Backbone is told: once a video, and once a clip (EMO sec. 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from .deep_cache import DeepCache, DeepFeatures
from .reads import Reads, beside
from .relatives.identity import IdentityTokens

# Latents of a clip up to which a batch of both of guidance's halves is faster than one after the other
FEW = 12 * 32 * 32


@dataclass(frozen=True)
class VideoConditions:
    """Constant over the whole video."""

    portrait: Tensor  # (B, C, H, W) its latent
    reads: list[Reads]  # of every layer: the portrait; nothing yet of a clip
    without: list[Reads]  # as guidance's other half has them
    face: Tensor | None  # (B, C, H, W)
    tokens: IdentityTokens | None = None
    pixels: Tensor | None = None  # (B, 3, 8H, 8W) in -1..1: the portrait, where its pixels are moved


@dataclass(frozen=True)
class Conditions:
    """Constant over one clip's denoising steps: what `Denoiser.predict` reads."""

    frames: int
    reads: list[Reads]  # of every layer
    without: list[Reads]  # as guidance's other half has them
    portrait: Tensor  # (B, C, H, W); read by models that move it
    face: Tensor | None  # (B, C, H, W), or (B*F, C, H, W) with a picture for each frame
    face_guided: bool = False  # guidance's other half goes without the locator too
    pixels: Tensor | None = None  # (B, 3, 8H, 8W) in -1..1; read by models that move them
    last: Tensor | None = None  # (B, C, H, W) of the clip before, or the portrait's; likewise
    code: Tensor | None = None  # (B*F, T) of the motion code, added to the timesteps' embedding
    deep: DeepFeatures | None = None  # kept from step to step, where they are
    without_deep: DeepFeatures | None = None  # likewise of guidance's other half

    def uncond(self) -> "Conditions":
        """Guidance's other half: without portrait and sound; place, past and speed stay, unless the weights
        were trained to go without them too."""
        return self._uncond

    @cached_property
    def _uncond(self) -> "Conditions":
        face, portrait = None if self.face_guided else self.face, torch.zeros_like(self.portrait)
        pixels = None if self.pixels is None else torch.zeros_like(self.pixels)
        return replace(
            self, reads=self.without, portrait=portrait, face=face, pixels=pixels, deep=self.without_deep
        )

    def keeping_deep(self, cache: DeepCache) -> "Conditions":
        """The same, for steps that share deep features."""
        return replace(self, deep=cache.cond, without_deep=cache.uncond)

    @cached_property
    def both(self) -> "Conditions":
        """Of a batch of two: guidance's halves, one after the other."""
        return in_one_batch([self, self.uncond()])

    @property
    def few(self) -> bool:
        """Whether guidance's halves take less time in one batch; deep features are kept of each half."""
        height, width = self.portrait.shape[-2:]
        return self.deep is None and are_few(self.frames, height, width, self.portrait.device)

    def scaled_audio(self, scale: float) -> "Conditions":
        """The sound's influence times `scale`: 1 as trained, 0 deaf."""
        return replace(self, reads=[row.scaled_audio(scale) for row in self.reads])


def are_few(frames: float, height: int, width: int, device: torch.device) -> bool:
    """Whether a pass over so many latents leaves a GPU waiting for its next kernel, so that another pass
    beside it costs little."""
    return device.type == "cuda" and frames * height * width <= FEW


def in_one_batch(halves: Sequence[Conditions]) -> Conditions:
    """Of a batch that has each of the halves' frames, one half after the other. What only some of them have
    is zeros in the others, which adds nothing."""
    return replace(
        halves[0],
        reads=[beside(rows) for rows in zip(*(half.reads for half in halves), strict=True)],
        portrait=torch.cat([half.portrait for half in halves]),
        face=_joined([half.face for half in halves]),
        pixels=_joined([half.pixels for half in halves]),
        last=_joined([half.last for half in halves]),
        code=_joined([half.code for half in halves]),
    )


def _joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
    found = [tensor for tensor in tensors if tensor is not None]
    return (
        torch.cat([found[0].new_zeros(found[0].shape) if t is None else t for t in tensors])
        if found
        else None
    )


class KeptConditions(NamedTuple):
    """Training drops conditions at random: 1 where a clip keeps one, 0 where it goes without, (B,) each."""

    reference: Tensor
    audio: Tensor
    motion: Tensor

    @property
    def face(self) -> Tensor:
        """Of weights whose guidance goes without the locator too (`Conditions.face_guided`): its other half
        is a clip that has neither portrait nor sound."""
        return torch.maximum(self.reference, self.audio)
