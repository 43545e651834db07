"""One UNet class in two roles: ReferenceNet writes features, the Backbone reads them (EMO sec. 3.2).

Parameter names are diffusers' (`UNet2DConditionModel`, `UNetMotionModel`), so Stable Diffusion 1.5 and
AnimateDiff weights fit.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..config import UNetConfig
from .attention import Attend, KeysValues, attend, sinusoid
from .relatives.regions import RegionalAudioTransformer
from .spatial import Layer, ResnetBlock, SpatialTransformer, TransformerBlock
from .temporal import MotionTokens, TemporalTransformer


class TimestepEmbedding(nn.Module):
    def __init__(self, dim: int, time_dim: int, operations: Any = nn):
        super().__init__()
        self.linear_1 = operations.Linear(dim, time_dim)
        self.linear_2 = operations.Linear(time_dim, time_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class Resample(nn.Module):
    """Halve the size with a strided convolution, or double it by repetition before one."""

    def __init__(self, channels: int, stride: int, operations: Any = nn):
        super().__init__()
        self.conv = operations.Conv2d(channels, channels, 3, stride=stride, padding=1)

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        return self.conv(x if size is None else F.interpolate(x, size=tuple(size), mode="nearest"))


class Block(nn.Module):
    """One resolution: layers of a residual block, a spatial transformer and a temporal module."""

    recomputed = False  # gradient checkpointing: the backward pass computes each layer again

    def __init__(
        self,
        channels: list[int],
        out_channels: int,
        attention: bool,
        config: UNetConfig,
        operations: Any = nn,
        attend: Attend = attend,
        audio_channels: list[int] | None = None,  # inside each audio module, as Hallo has it
    ):
        super().__init__()
        self.reads, self.reads_joined = config.role == "reads", config.quirks.reference_join == "concat"
        time_dim = config.block_out_channels[0] * 4
        self.resnets = nn.ModuleList(
            ResnetBlock(c, out_channels, time_dim, config.norm_groups, operations) for c in channels
        )
        parts = (out_channels, config, operations, attend)
        layers = len(channels)
        if attention:
            self.attentions = nn.ModuleList(SpatialTransformer(*parts) for _ in range(layers))
        if attention and config.quirks.audio_branches:
            self.audio_modules = nn.ModuleList(
                RegionalAudioTransformer(out_channels, inner, config, operations, attend)
                for inner in audio_channels
            )
        if self.reads and (attention or config.quirks.temporal_without_attention):
            self.motion_modules = nn.ModuleList(TemporalTransformer(*parts) for _ in range(layers))

    def layer(self, j: int, h: Tensor, emb: Tensor, layer: Layer, frames: int) -> Tensor:
        if self.recomputed and torch.is_grad_enabled():
            return checkpoint(self.compute_layer, j, h, emb, layer, frames, use_reentrant=False)
        return self.compute_layer(j, h, emb, layer, frames)

    def compute_layer(self, j: int, h: Tensor, emb: Tensor, layer: Layer, frames: int) -> Tensor:
        h = self.resnets[j](h, emb)
        if hasattr(self, "attentions"):
            h = self.attentions[j](h, layer, frames)
        if hasattr(self, "audio_modules"):
            h = self.audio_modules[j](h, layer.audio, layer.regions)
        if not self.reads:
            layer.motion = self.motion_tap(h, layer.reference)
        elif hasattr(self, "motion_modules") and not layer.still:
            h = self.motion_modules[j](h, frames, layer.motion, layer.speed)
        return h

    def motion_tap(self, h: Tensor, reference: Tensor | None) -> Tensor | None:
        """ReferenceNet: what the Backbone's temporal module at this place reads of motion frames.

        The relatives whose reference joins self-attention (Hallo) read the same features for both, and
        nothing where there is no attention.
        """
        if not self.reads_joined:
            return h
        return None if reference is None else reference.transpose(1, 2).unflatten(2, h.shape[-2:])


class MidBlock(Block):
    """A layer, then one more residual block."""

    def __init__(self, channels: int, config: UNetConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__([channels], channels, True, config, operations, attend, [channels])
        self.resnets.append(
            ResnetBlock(channels, channels, config.block_out_channels[0] * 4, config.norm_groups, operations)
        )


class UNet(nn.Module):
    """x (N, C, H, W) -> (N, C, H, W). `layers` carries what each layer reads or writes, in forward order."""

    def __init__(
        self,
        config: UNetConfig,
        operations: Any = nn,
        attend: Attend = attend,
        latent_channels: int = 4,
        beside: int = 0,  # channels that it sees beside the latents
    ):
        super().__init__()
        self.config = config
        parts = (config, operations, attend)
        widths = config.block_out_channels
        self.conv_in = operations.Conv2d(latent_channels + beside, widths[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(widths[0], widths[0] * 4, operations)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips = [widths[0]]
        for i, (width, attention) in enumerate(zip(widths, config.attention_levels, strict=True)):
            inputs = [skips[-1]] + [width] * (config.layers_per_block - 1)
            block = Block(inputs, width, attention, *parts, [widths[max(i - 1, 0)]] + inputs[1:])
            skips += [width] * config.layers_per_block
            if i < len(widths) - 1:
                block.downsamplers = nn.ModuleList([Resample(width, 2, operations)])
                skips.append(width)
            self.down_blocks.append(block)
        self.mid_block = MidBlock(widths[-1], *parts)
        below = widths[-1]
        for i, (width, attention) in enumerate(zip(widths[::-1], config.attention_levels[::-1], strict=True)):
            inputs = []
            for _ in range(config.layers_per_block + 1):
                inputs.append(below + skips.pop())
                below = width
            block = Block(
                inputs, width, attention, *parts, [widths[max(len(widths) - 2 - i, 0)]] * len(inputs)
            )
            if i < len(widths) - 1:
                block.upsamplers = nn.ModuleList([Resample(width, 1, operations)])
            self.up_blocks.append(block)
        if config.role == "reads":
            self.conv_norm_out = operations.GroupNorm(config.norm_groups, widths[0], eps=1e-5)
            self.conv_out = operations.Conv2d(widths[0], latent_channels, 3, padding=1)

    def places(self) -> Iterator[tuple[Block, int]]:
        """The layers in forward order, as (block, index within it)."""
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            for j in range(1 if block is self.mid_block else len(block.resnets)):
                yield block, j

    def recompute_layers(self) -> None:
        """Trade time for memory in training (gradient checkpointing): only the layers' inputs are kept."""
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            block.recomputed = True

    def empty_layers(self) -> list[Layer]:
        return [Layer() for _ in self.places()]

    def forward(
        self, x: Tensor, timesteps: Tensor, layers: list[Layer], frames: int = 1, added: Tensor | None = None
    ) -> Tensor:
        """timesteps (N,); `added` (N, C0, H, W) is the face locator's features, joined right after the
        first layer."""
        emb = self.time_embedding(sinusoid(timesteps, self.config.block_out_channels[0]).to(x.dtype))
        if x.device.type == "cpu":  # oneDNN's convolutions are faster so, and tokens need no transposing
            x = x.contiguous(memory_format=torch.channels_last)
        h = self.conv_in(x)
        if added is not None:
            h = h + added
        skips, layer = [h], iter(layers)
        for block in self.down_blocks:
            for j in range(len(block.resnets)):
                h = block.layer(j, h, emb, next(layer), frames)
                skips.append(h)
            if hasattr(block, "downsamplers"):
                h = block.downsamplers[0](h)
                skips.append(h)
        h = self.mid_block.layer(0, h, emb, next(layer), frames)
        h = self.mid_block.resnets[1](h, emb)
        for block in self.up_blocks:
            for j in range(len(block.resnets)):
                h = block.layer(j, torch.cat([h, skips.pop()], dim=1), emb, next(layer), frames)
            if hasattr(block, "upsamplers"):
                h = block.upsamplers[0](h, skips[-1].shape[-2:])
        if self.config.role == "writes":
            return h
        return self.conv_out(F.silu(self.conv_norm_out(h)))

    def write(self, latents: Tensor, context: Tensor | None = None) -> list[Layer]:
        """ReferenceNet's role: clean latents (N, C, H, W) at timestep 0 -> what each layer wrote.

        `context` (N, L, D) are the tokens that attn2 reads; None stands for zeros.
        """
        layers = self.empty_layers()
        for layer, keys_values in zip(layers, self.project_context(context), strict=True):
            layer.context = keys_values
        self(latents, latents.new_zeros(len(latents)), layers)
        return layers

    def project_context(self, tokens: Tensor | None) -> list[KeysValues | None]:
        """Tokens (N, L, D) of attn2, perhaps identity tokens -> keys and values at every layer."""
        return [
            None if tokens is None or transformer is None else transformer.attn2.keys_values(tokens)
            for transformer in self.transformers()
        ]

    def transformers(self) -> Iterator[TransformerBlock | None]:
        for block, j in self.places():
            yield block.attentions[j].transformer_blocks[0] if hasattr(block, "attentions") else None

    def project_reference(self, written: list[Layer]) -> list[KeysValues | None]:
        """ReferenceNet's features -> keys and values of every reference-attention; once per video."""
        places = zip(self.transformers(), written, strict=True)
        return [
            None
            if transformer is None or layer.reference is None
            else transformer.project_reference(layer.reference, layer.motion.shape[-2:])
            for transformer, layer in places
        ]

    def project_audio(self, tokens: Tensor) -> list[KeysValues | list[KeysValues] | None]:
        """Audio tokens (B*F, L, D) -> keys and values of every audio-attention; once per clip."""
        if self.config.quirks.audio_branches:
            return [
                block.audio_modules[j].transformer_blocks[0].keys_values(tokens)
                if hasattr(block, "audio_modules")
                else None
                for block, j in self.places()
            ]
        return [
            None if transformer is None else transformer.attn_audio.keys_values(tokens)
            for transformer in self.transformers()
        ]

    def project_speed(self, tokens: Tensor) -> list[KeysValues]:
        """Speed tokens (B, F, D) -> keys and values of every speed layer; once per clip."""
        return [
            block.motion_modules[j].transformer_blocks[0].attn_speed.keys_values(tokens)
            for block, j in self.places()
        ]

    def project_motion(self, features: list[Tensor | None], motion_frames: int) -> list[MotionTokens | None]:
        """Motion features (B*M, C, H, W) of every layer -> its temporal module's tokens; once per clip."""
        return [
            None if feature is None else block.motion_modules[j].prepare(feature, motion_frames)
            for (block, j), feature in zip(self.places(), features, strict=True)
        ]
