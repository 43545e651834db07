"""Hallo's audio transformer: the sound acts on background, face and lips separately (arXiv 2406.08801 sec.
3.2)."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ...config import UNetConfig
from ..attention import (
    Attention,
    FeedForward,
    KeysValues,
    Modules,
    Operations,
    for_group_norm,
    zero_module,
)

REGIONS = ("full", "face", "lip")


@dataclass(frozen=True)
class Region:
    """Where one branch acts at one resolution: places (K,) and their masks, (K, 1) of all frames or (N, K, 1)
    of each."""

    places: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Regions:
    """The three regions of `REGIONS` at one resolution, and how much each weighs."""

    parts: tuple[Region, Region, Region]
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Where the model is, in its type."""
        full, face, lip = (Region(part.places.to(device), part.mask.to(device, dtype)) for part in self.parts)
        return type(self)((full, face, lip), self.weights)


def read_regions(
    levels: list[tuple[Tensor, Tensor, Tensor]], weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> dict[int, Regions]:
    """Masks (L,) in 0..1 of every resolution -> what layers of L tokens read, by L."""
    return {
        len(full): Regions((_region(full), _region(face), _region(lip)), weights)
        for full, face, lip in levels
    }


def batch_regions(levels: list[Tensor], frames: int) -> dict[int, Regions]:
    """Masks (B, 3, L) in 0..1 of every resolution -> what layers of L tokens read, by L, for B clips of as
    many frames. Clips differ in where their masks are 0, so that all places are computed."""
    regions = {}
    for masks in levels:
        places = torch.arange(masks.shape[2], device=masks.device)
        full, face, lip = masks.repeat_interleave(frames, dim=0)[..., None].unbind(1)
        regions[len(places)] = Regions((Region(places, full), Region(places, face), Region(places, lip)))
    return regions


def _region(mask: Tensor) -> Region:
    places = mask.nonzero()[:, 0]
    return Region(places, mask[places, None])


class RegionalAudioBlock(nn.Module):
    """self-attention -> audio cross-attention in each region -> feed-forward; tokens (N, L, D).

    Parameter names are Hallo's; its 1x1 convolutions `zero_conv_*` are linear layers on tokens.
    """

    def __init__(self, dim: int, config: UNetConfig, operations: type[Operations] = Operations):
        super().__init__()
        self.norm1 = operations.LayerNorm(dim)
        self.attn1 = Attention(dim, config.heads, operations=operations)
        self.norm2 = operations.LayerNorm(dim)
        for branch in range(config.quirks.audio_branches):
            attention = Attention(dim, config.heads, config.audio_dim, operations)
            self.add_module(f"attn2_{branch}", attention)
        for region in REGIONS:
            self.add_module(f"zero_conv_{region}", zero_module(operations.Linear(dim, dim)))
        self.norm3 = operations.LayerNorm(dim)
        self.ff = FeedForward(dim, operations)
        self.branches = config.quirks.audio_branches

    def branch(self, region: int) -> Attention:
        """JoyHallo's regions share one attention, Hallo's have one each."""
        return getattr(self, f"attn2_{region % self.branches}")

    def keys_values(self, tokens: Tensor) -> list[KeysValues]:
        return [self.branch(k).keys_values(tokens) for k in range(self.branches)]

    def forward(self, x: Tensor, audio: list[KeysValues] | None, regions: Regions) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attn1(normed, self.attn1.keys_values(normed))
        x = x + self.regional(x, audio, regions)
        return x + self.ff(self.norm3(x))

    def regional(self, x: Tensor, audio: list[KeysValues] | None, regions: Regions) -> Tensor:
        """Each region's attention is computed only where its mask is above 0; elsewhere it leaves the bias
        of its last layer."""
        query = None if audio is None else self.norm2(x)
        alike = audio is None and regions.parts[0].mask.ndim == 2  # all frames get the same
        total = torch.zeros_like(x[:1] if alike else x)
        for k, (name, region) in enumerate(zip(REGIONS, regions.parts, strict=True)):
            attention, last = self.branch(k), getattr(self, f"zero_conv_{name}")
            if audio is None or query is None:  # the same bias everywhere, times the mask
                heard = attention.absent(x) * region.mask
            else:
                heard = attention(query[:, region.places], audio[k % self.branches]) * region.mask
            weight = regions.weights[k]
            bias = last(torch.zeros_like(x[:1, :1]))
            total += weight * bias
            total.index_add_(1, region.places, (last(heard) - bias).to(total.dtype), alpha=weight)
        return total


class RegionalAudioTransformer(nn.Module):
    """(N, C, H, W) -> same, through one block of `dim` channels, which need not be C."""

    def __init__(
        self, channels: int, dim: int, config: UNetConfig, operations: type[Operations] = Operations
    ):
        super().__init__()
        self.norm = operations.GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = operations.Conv2d(channels, dim, 1)
        self.transformer_blocks = Modules([RegionalAudioBlock(dim, config, operations)])
        self.proj_out = operations.Conv2d(dim, channels, 1)

    def forward(self, x: Tensor, audio: list[KeysValues] | None, regions: dict[int, Regions]) -> Tensor:
        tokens = self.proj_in(self.norm(for_group_norm(x))).flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, audio, regions[tokens.shape[1]])
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[-2:]))
