"""One UNet class in two roles: ReferenceNet writes features, the Backbone reads them (EMO sec. 3.2).

Parameter names are diffusers' (`UNet2DConditionModel`, `UNetMotionModel`), so Stable Diffusion 1.5 and
AnimateDiff weights fit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..config import UNetConfig
from .attention import Attention, Modules, Operations, sinusoid
from .cpu import for_convolutions
from .deep_cache import DeepFeatures
from .reads import Reads, Written
from .relatives.regions import RegionalAudioBlock, RegionalAudioTransformer
from .spatial import ResnetBlock, SpatialTransformer, TransformerBlock
from .temporal import TemporalBlock, TemporalTransformer

# Skips to layers that are computed at every step, whatever of the deeper ones is kept: those of the first
# convolution and the first layer. At SD 1.5's widths that leaves a quarter of a pass's operations.
OUTERMOST = 2


class TimestepEmbedding(nn.Module):
    def __init__(self, dim: int, time_dim: int, operations: type[Operations] = Operations):
        super().__init__()
        self.linear_1 = operations.Linear(dim, time_dim)
        self.linear_2 = operations.Linear(time_dim, time_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class Resample(nn.Module):
    """Halve the size with a strided convolution, or double it by repetition before one."""

    def __init__(self, channels: int, stride: int, operations: type[Operations] = Operations):
        super().__init__()
        self.conv = operations.Conv2d(channels, channels, 3, stride=stride, padding=1)

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        return self.conv(x if size is None else F.interpolate(x, size=tuple(size), mode="nearest"))


class Block(nn.Module):
    """One resolution: layers of a residual block, a spatial transformer and a temporal module."""

    def __init__(
        self,
        channels: list[int],
        out_channels: int,
        attention: bool,
        config: UNetConfig,
        operations: type[Operations],
        audio_channels: list[int],  # inside each audio module, as Hallo has it
    ):
        super().__init__()
        self.config, self.layers = config, len(channels)
        time_dim = config.block_out_channels[0] * 4
        self.resnets = Modules(
            ResnetBlock(c, out_channels, time_dim, config.norm_groups, operations) for c in channels
        )
        # what a resolution does not have is an empty list
        parts, quirks = (out_channels, config, operations), config.quirks
        temporal = config.role == "reads" and (attention or quirks.temporal_without_attention)
        self.attentions = Modules(SpatialTransformer(*parts) for _ in channels if attention)
        self.audio_modules = Modules(
            RegionalAudioTransformer(out_channels, inner, config, operations)
            for inner in audio_channels
            if attention and quirks.audio_branches
        )
        self.motion_modules = Modules(TemporalTransformer(*parts) for _ in channels if temporal)
        self.downsamplers: Modules[Resample] = Modules()
        self.upsamplers: Modules[Resample] = Modules()

    def forward(self, j: int, h: Tensor, emb: Tensor, reads: Reads, frames: int) -> tuple[Tensor, Written]:
        """Layer j, and what it writes in ReferenceNet's role."""
        tokens, written = None, None
        h = self.resnets[j](h, emb)
        if self.attentions:
            h, tokens = self.attentions[j](h, reads, frames)
        if self.audio_modules:
            h = self.audio_modules[j](h, reads.audio, reads.regions)
        if self.motion_modules and not reads.still:
            h = self.motion_modules[j](h, frames, reads.motion, reads.speed)
        if self.config.role == "writes":
            written = h
            if self.config.quirks.reference_join == "concat":
                # Hallo reads the same features for both, and nothing of the past where there is no attention
                written = None if tokens is None else tokens.permute(0, 3, 1, 2)
        return h, Written(tokens, written)

    def nothing(self, j: int, like: Tensor) -> Reads:
        """What layer j reads where there is nothing."""
        reads = self.attentions[j].transformer_blocks[0].nothing(like) if self.attentions else Reads()
        if self.audio_modules:
            reads = replace(reads, audio=self.audio_modules[j].transformer_blocks[0].nothing(like))
        return reads

    def listener(self, j: int) -> Attention | RegionalAudioBlock:
        """What hears the audio in layer j."""
        if self.audio_modules:
            return self.audio_modules[j].transformer_blocks[0]
        return self.attentions[j].transformer_blocks[0].attn_audio


class UNet(nn.Module):
    """Latents of so many channels in and out; `beside` them it sees others, and `more` come out than went in.
    The role is the configuration's.
    """

    def __init__(
        self,
        config: UNetConfig,
        operations: type[Operations] = Operations,
        channels: int = 4,
        beside: int = 0,
        more: int = 0,
    ):
        super().__init__()
        self.config = config
        parts = (config, operations)
        widths, area = config.block_out_channels, config.patch**2
        self.conv_in = operations.Conv2d((channels + beside) * area, widths[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(widths[0], widths[0] * 4, operations)
        self.down_blocks: Modules[Block] = Modules()
        self.up_blocks: Modules[Block] = Modules()
        skips = [widths[0]]
        for i, (width, attention) in enumerate(zip(widths, config.attention_levels, strict=True)):
            inputs = [skips[-1]] + [width] * (config.layers_per_block - 1)
            block = Block(inputs, width, attention, *parts, [widths[max(i - 1, 0)]] + inputs[1:])
            skips += [width] * config.layers_per_block
            if i < len(widths) - 1:
                block.downsamplers.append(Resample(width, 2, operations))
                skips.append(width)
            self.down_blocks.append(block)
        below = widths[-1]
        self.mid_block = Block([below], below, True, *parts, [below])  # and one more residual block
        self.mid_block.resnets.append(
            ResnetBlock(below, below, widths[0] * 4, config.norm_groups, operations)
        )
        for i, (width, attention) in enumerate(zip(widths[::-1], config.attention_levels[::-1], strict=True)):
            inputs = []
            for _ in range(config.layers_per_block + 1):
                inputs.append(below + skips.pop())
                below = width
            block = Block(
                inputs, width, attention, *parts, [widths[max(len(widths) - 2 - i, 0)]] * len(inputs)
            )
            if i < len(widths) - 1:
                block.upsamplers.append(Resample(width, 1, operations))
            self.up_blocks.append(block)
        if config.role == "reads":
            self.conv_norm_out = operations.GroupNorm(config.norm_groups, widths[0], eps=1e-5)
            self.conv_out = operations.Conv2d(widths[0], (channels + more) * area, 3, padding=1)

    def places(self) -> Iterator[tuple[Block, int]]:
        """The layers in forward order, as (block, index within it)."""
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            for j in range(block.layers):
                yield block, j

    def fuse(self) -> None:
        """One product for each self-attention's queries, keys and values (`Attention.fuse`), and Hallo's
        branches as one: fewer launches and reads, where a GPU renders."""
        for module in self.modules():
            if isinstance(module, RegionalAudioBlock):
                module.fuse()
            if isinstance(module, TransformerBlock | TemporalBlock):
                module.attn1.fuse()
            if isinstance(module, TemporalBlock):
                module.attn2.fuse()

    def recompute_layers(self) -> None:
        """Trade time for memory in training (gradient checkpointing): only the layers' inputs are kept."""
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            again = partial(checkpoint, block.forward, use_reentrant=False)
            block.forward = again

    def nothing(self, like: Tensor) -> list[Reads]:
        """What each layer reads where there is nothing, constants of the model. `like` says device and
        type."""
        return [block.nothing(j, like) for block, j in self.places()]

    def zero_maps(self, motion_frames: int, like: Tensor) -> list[Written]:
        """In place of what ReferenceNet writes of motion frames, before the first clip (EMO sec. 3.2). As
        large as that, so that a compiled Backbone needs no graph of its own for the first clip. `like` are
        portrait latents (B, C, H, W)."""
        sizes = [[side // self.config.patch for side in like.shape[-2:]]]
        for _ in range(len(self.down_blocks) - 1):
            sizes.append([-(-side // 2) for side in sizes[-1]])
        blocks = (*self.down_blocks, self.mid_block, *self.up_blocks)
        maps = []
        for block, size in zip(blocks, (*sizes, sizes[-1], *reversed(sizes)), strict=True):
            for module in block.motion_modules or [None] * block.layers:
                shape = module and (len(like) * motion_frames, module.proj_in.in_features, *size)
                maps.append(Written(None, None if shape is None else like.new_zeros(shape)))
        return maps

    def project(
        self,
        rows: list[Reads],
        *,
        reference: list[Written] | None = None,
        context: Tensor | None = None,
        audio: Tensor | None = None,
        past: list[Written] | None = None,
        motion_frames: int = 0,
        speed: Tensor | None = None,
    ) -> list[Reads]:
        """The rows with keys and values of what is given in place of what they have.

        `reference` is of portraits, `past` of motion frames; tokens are (B, L, D) of attn2, (B*F, L, D) of
        audio and (B, F, D) of speed.
        """
        projected = []
        for k, ((block, j), row) in enumerate(zip(self.places(), rows, strict=True)):
            if block.attentions:
                attention = block.attentions[j].transformer_blocks[0]
                if reference is not None and (tokens := reference[k].tokens) is not None:
                    row = replace(row, reference=attention.project_reference(tokens))
                if context is not None:
                    row = replace(row, context=attention.attn2.keys_values(context))
                if audio is not None:
                    row = replace(row, audio=block.listener(j).keys_values(audio))
            if block.motion_modules:
                temporal = block.motion_modules[j]
                if motion_frames and past is not None and (maps := past[k].map) is not None:
                    row = replace(row, motion=temporal.motion(maps, motion_frames))
                if speed is not None:
                    row = replace(row, speed=temporal.transformer_blocks[0].hear_speed(speed))
            projected.append(row)
        return projected

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        reads: list[Reads],
        frames: int = 1,
        added: Tensor | None = None,
        code: Tensor | None = None,
        deep: DeepFeatures | None = None,
    ) -> Tensor | list[Written]:
        """x (B*F, C, H, W) and timesteps (B*F,) -> the prediction, same size; in ReferenceNet's role what
        each layer wrote.

        `added` (B, C0, H/patch, W/patch), or (B*F, ...) with others for each frame, is the face locator's
        features, joined right after the first layer; `code` (B*F, T) is added to the timesteps' embedding.
        `deep` features are read where they are kept, and else made and kept.
        """
        emb = self.time_embedding(sinusoid(timesteps, self.config.block_out_channels[0]).to(x.dtype))
        if code is not None:
            emb = emb + code
        emb = F.silu(emb)  # as every residual block reads it
        h = self.conv_in(F.pixel_unshuffle(for_convolutions(x), self.config.patch))
        if added is not None:
            h = (h.unflatten(0, (len(added), -1)) + added[:, None]).flatten(0, 1)
        if deep is not None and (kept := deep.of(h)) is not None:
            return self.output(self.outermost(h, kept, emb, reads, frames))
        skips, layer = [h], iter(reads)
        written: list[Written] = []
        for block in self.down_blocks:
            for j in range(block.layers):
                h, wrote = block(j, h, emb, next(layer), frames)
                skips.append(h)
                written.append(wrote)
            if block.downsamplers:
                h = block.downsamplers[0](h)
                skips.append(h)
        h, wrote = self.mid_block(0, h, emb, next(layer), frames)
        written.append(wrote)
        h = self.mid_block.resnets[1](h, emb)
        for block in self.up_blocks:
            for j in range(block.layers):
                if deep is not None and len(skips) == OUTERMOST:
                    deep.kept = h
                h, wrote = block(j, torch.cat([h, skips.pop()], dim=1), emb, next(layer), frames)
                written.append(wrote)
            if block.upsamplers:
                h = block.upsamplers[0](h, skips[-1].shape[-2:])
        if self.config.role == "writes":
            return written
        return self.output(h)

    def outermost(self, h: Tensor, deep: Tensor, emb: Tensor, reads: list[Reads], frames: int) -> Tensor:
        """What the last layer gives, of the first one's input (B*F, C, H, W) and what the deep layers gave
        at a step before (DeepCache, arXiv 2312.00858 sec. 3.2)."""
        skips, block = [h, self.down_blocks[0](0, h, emb, reads[0], frames)[0]], self.up_blocks[-1]
        for place in range(-OUTERMOST, 0):
            joined = torch.cat([deep, skips.pop()], dim=1)
            deep, _ = block(block.layers + place, joined, emb, reads[place], frames)
        return deep

    def output(self, h: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv_out(F.silu(self.conv_norm_out(h))), self.config.patch)
