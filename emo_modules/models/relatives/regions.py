"""Hallo's audio transformer: the sound acts on background, face and lips separately (arXiv 2406.08801 sec.
3.2)."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...config import UNetConfig
from ..attention import (
    Attention,
    FeedForward,
    Fusable,
    KeysValues,
    Modules,
    Operations,
    apart,
    for_group_norm,
    side_by_side,
    zero_module,
)

REGIONS = ("full", "face", "lip")


@dataclass(frozen=True)
class Region:
    """Where one branch acts at one resolution: places (K,) and their masks, (K, 1) of all frames or (N, K, 1)
    of each."""

    places: Tensor
    mask: Tensor

    def everywhere(self, count: int) -> Tensor:
        """The mask at all places, (L, 1) or (N, L, 1)."""
        whole = self.mask.new_zeros(*self.mask.shape[:-2], count, 1)
        return whole.index_copy(-2, self.places, self.mask)


@dataclass(frozen=True)
class Regions:
    """The three regions of `REGIONS` at one resolution, and how much each weighs."""

    parts: tuple[Region, Region, Region]
    weights: tuple[float, float, float]
    # (L, 6) of all frames or (N, L, 6) of each: how much of a place is outside each mask, and how much
    # inside, times the weights
    shares: Tensor

    @classmethod
    def of(
        cls,
        parts: tuple[Region, Region, Region],
        places: int,
        weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> Self:
        """Of so many places."""
        inside = [part.everywhere(places) for part in parts]
        # numbers of main memory as factors: as a tensor they could not be sent while a CUDA graph is captured
        outwards = [(1 - mask) * weight for mask, weight in zip(inside, weights, strict=True)]
        inwards = [mask * weight for mask, weight in zip(inside, weights, strict=True)]
        return cls(parts, weights, torch.cat([*outwards, *inwards], dim=-1))

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Where the model is, in its type."""
        full, face, lip = (Region(part.places.to(device), part.mask.to(device, dtype)) for part in self.parts)
        return type(self)((full, face, lip), self.weights, self.shares.to(device, dtype))


class RegionalAudio(NamedTuple):
    """What a block hears: keys and values of its branches side by side, (N, L, branches * D), or None of no
    sound, and what a region's last layer gives of nothing, and of attention to nothing, (6, D)."""

    keys: KeysValues | None
    constants: Tensor


def read_regions(
    levels: list[tuple[Tensor, Tensor, Tensor]], weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> dict[int, Regions]:
    """Masks (L,) in 0..1 of every resolution -> what layers of L tokens read, by L."""
    return {
        len(full): Regions.of((_region(full), _region(face), _region(lip)), len(full), weights)
        for full, face, lip in levels
    }


def batch_regions(levels: list[Tensor], frames: int) -> dict[int, Regions]:
    """Masks (B, 3, L) in 0..1 of every resolution -> what layers of L tokens read, by L, for B clips of as
    many frames. Clips differ in where their masks are 0, so that all places are computed."""
    regions = {}
    for masks in levels:
        places = torch.arange(masks.shape[2], device=masks.device)
        full, face, lip = (
            Region(places, m) for m in masks.repeat_interleave(frames, dim=0)[..., None].unbind(1)
        )
        regions[len(places)] = Regions.of((full, face, lip), len(places))
    return regions


def _region(mask: Tensor) -> Region:
    places = mask.nonzero()[:, 0]
    return Region(places, mask[places, None])


class RegionalAudioBlock(Fusable):
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

    def keys_values(self, tokens: Tensor) -> RegionalAudio:
        """Of audio tokens (N, L, D)."""
        pairs = [self.branch(k).keys_values(tokens) for k in range(self.branches)]
        keys, values = zip(*pairs, strict=True)
        return RegionalAudio((torch.cat(keys, dim=-1), torch.cat(values, dim=-1)), self.constants(tokens))

    def nothing(self, like: Tensor) -> RegionalAudio:
        """Of no sound; `like` says device and type."""
        return RegionalAudio(None, self.constants(like))

    def constants(self, like: Tensor) -> Tensor:
        last = [getattr(self, f"zero_conv_{region}") for region in REGIONS]
        deaf = [self.branch(k).absent(like) for k in range(len(REGIONS))]
        nothing = [layer(torch.zeros_like(x)) for layer, x in zip(last, deaf, strict=True)]
        heard = [layer(x) for layer, x in zip(last, deaf, strict=True)]
        return torch.cat([*nothing, *heard], dim=1)[0]

    def fuse(self) -> None:
        """From now on the branches listen as one, everywhere. The places that a mask leaves out cost a GPU
        less than a launch for each branch; on a CPU they would double the time of this part.

        Joint are the projections that ask, (branches * D, D), and what follows the masks: the last of each
        attention and of each region, (D, 3 * D), products that are linear in a row.
        """
        self.attn1.fuse()
        asks = side_by_side(self.branch(k).to_q for k in range(self.branches))
        tells = [
            getattr(self, f"zero_conv_{region}").weight.float() @ self.branch(k).to_out[0].weight.float()
            for k, region in enumerate(REGIONS)
        ]
        self.joint = (asks, torch.cat(tells, dim=1).detach().to(asks.dtype))

    def forward(self, x: Tensor, audio: RegionalAudio, regions: Regions) -> Tensor:
        x = x + self.attn1.mix(*apart(self.attn1.project(self.norm1(x))))
        x = self.listen(x, audio, regions)
        return x + self.ff(self.norm3(x))

    def listen(self, x: Tensor, audio: RegionalAudio, regions: Regions) -> Tensor:
        """Tokens (N, L, D) and what they hear.

        Each region's attention is computed only where its mask is above 0. The mask weighs what goes into
        the last layer, which is linear: so do its parts what comes out, and what the layer gives of nothing.
        """
        shares, constants = regions.shares.to(audio.constants), audio.constants
        if audio.keys is None:
            return x + shares @ constants
        query = self.norm2(x)
        if self.joint is not None:
            return x + shares @ constants + self.together(query, audio.keys, shares[..., len(REGIONS) :])
        total = x + shares[..., : len(REGIONS)] @ constants[: len(REGIONS)]
        keys = list(zip(*(t.chunk(self.branches, dim=-1) for t in audio.keys), strict=True))
        for k, (name, region) in enumerate(zip(REGIONS, regions.parts, strict=True)):
            heard = self.branch(k)(query[:, region.places], keys[k % self.branches])
            said = getattr(self, f"zero_conv_{name}")(heard) * region.mask
            total.index_add_(1, region.places, said.to(total.dtype), alpha=regions.weights[k])
        return total

    def together(self, query: Tensor, keys: KeysValues, inside: Tensor) -> Tensor:
        """What queries (N, L, D) hear beyond what attention to nothing gives, by how much of a place is
        inside each mask, (L, 3) or (N, L, 3)."""
        asks, tells = self.joint
        attention = self.branch(0)
        heard = attention.attend(F.linear(query, asks), *keys, self.branches * attention.heads)
        heard = heard.unflatten(-1, (self.branches, -1)) * inside[..., None]
        return F.linear(heard.flatten(-2), tells)


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

    def forward(self, x: Tensor, audio: RegionalAudio, regions: dict[int, Regions]) -> Tensor:
        tokens = self.proj_in(self.norm(for_group_norm(x))).flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, audio, regions[tokens.shape[1]])
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[-2:]))
