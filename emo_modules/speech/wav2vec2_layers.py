"""The layers of wav2vec2 (arXiv 2006.11477), under transformers' parameter names.

Importing transformers' own class takes longer than a short film: it brings torch._dynamo, sympy and
scikit-learn along. Dropout, layer drop and SpecAugment, which belong to its training, are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checked import Channels, Checked, Length, Range, Share
from ..media.audio import SAMPLE_RATE
from ..models.attention import Modules, attend


@dataclass(frozen=True)
class Wav2Vec2Settings(Checked):
    """The fields of transformers' `Wav2Vec2Config` that files of it have, with its defaults; no other is
    taken."""

    hidden_size: Channels = 768
    num_hidden_layers: Annotated[int, Range(1, 64)] = 12
    num_attention_heads: Annotated[int, Range(1, 64)] = 12
    intermediate_size: Channels = 3072
    conv_dim: Annotated[tuple[Channels, ...], Length(1, 16)] = (512,) * 7
    conv_kernel: tuple[Annotated[int, Range(1, 64)], ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[Annotated[int, Range(1, 64)], ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: Literal["group", "layer"] = "group"
    do_stable_layer_norm: bool = False
    num_conv_pos_embeddings: Annotated[int, Range(1, 1024)] = 128
    num_conv_pos_embedding_groups: Annotated[int, Range(1, 1024)] = 16
    num_feat_extract_layers: int | None = None  # what transformers writes; the number of convolutions
    mask_time_prob: Share = 0.05  # above 0 there is a parameter for masked features, which nothing reads
    # of transformers' own training: they are in files and have no effect
    hidden_dropout: Share = 0.1
    attention_dropout: Share = 0.1
    activation_dropout: Share = 0.1
    feat_proj_dropout: Share = 0.0
    layerdrop: Share = 0.1

    def impossible(self) -> Iterator[str]:
        lists = (self.conv_dim, self.conv_kernel, self.conv_stride)
        if len(set(map(len, lists))) > 1:
            yield f"conv_dim, conv_kernel and conv_stride are of one length, got {[len(x) for x in lists]}"
        if self.num_feat_extract_layers not in (None, len(self.conv_dim)):
            yield f"num_feat_extract_layers is {self.num_feat_extract_layers}, not {len(self.conv_dim)}"
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, name):
                yield f"hidden_size {self.hidden_size} is no multiple of {name} {getattr(self, name)}"
        if receptive_field(self) > SAMPLE_RATE:
            yield f"a feature would see {receptive_field(self)} samples, more than a second"


def receptive_field(config: Wav2Vec2Settings) -> int:
    """Samples that one feature sees before the transformer (400 for wav2vec2-base)."""
    field, step = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field


class Convolution(nn.Module):
    """One layer of the feature extractor, (B, C, T) -> (B, C', T'), with a norm over time ("group"), over
    channels ("layer") or none ("")."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, bias: bool, norm: str) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, out, kernel, stride, bias=bias)
        start_normal(self.conv.weight, (2 / (channels * kernel)) ** 0.5)
        self.norm = norm
        if norm == "group":
            self.layer_norm: nn.Module = nn.GroupNorm(out, out)
        elif norm == "layer":
            self.layer_norm = nn.LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm == "group":
            x = self.layer_norm(x)
        elif self.norm == "layer":
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2)
        return F.gelu(x)


class FeatureExtractor(nn.Module):
    """Waveform (B, T) -> features (B, C, T')."""

    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        kernels = zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
        # a group norm stands behind the first convolution alone
        later = "layer" if config.feat_extract_norm == "layer" else ""
        self.conv_layers: Modules[Convolution] = Modules()
        channels, norm = 1, str(config.feat_extract_norm)
        for out, kernel, stride in kernels:
            self.conv_layers.append(Convolution(channels, out, kernel, stride, config.conv_bias, norm))
            channels, norm = out, later

    def forward(self, waveform: Tensor) -> Tensor:
        x = waveform[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x


class FeatureProjection(nn.Module):
    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1])
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.layer_norm(x))


class NormedWeight(nn.Module):
    """The weight (D, D', K) of a convolution as a direction, and how strong it is at each of K places.

    Names are those of torch's parametrization, which computes norms also of a network without data.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        gain = weight.new_empty(1, 1, weight.shape[2])
        if not weight.is_meta:
            gain = weight.norm(dim=(0, 1), keepdim=True)
        self.original0, self.original1 = nn.Parameter(gain), nn.Parameter(weight)

    def forward(self) -> Tensor:
        return torch._weight_norm(self.original1, self.original0, 2)


class PositionalConvolution(nn.Module):
    """Tokens (B, D, T) -> (B, D, T), and one more where the kernel is even."""

    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        conv = nn.Conv1d(width, width, kernel, groups=groups)
        start_normal(conv.weight, 2 * (kernel * width) ** -0.5)
        self.parametrizations = nn.ModuleDict({"weight": NormedWeight(conv.weight.detach())})
        self.bias, self.padding, self.groups = conv.bias, kernel // 2, groups

    def forward(self, x: Tensor) -> Tensor:
        weight = self.parametrizations["weight"]()
        return F.conv1d(x, weight, self.bias, padding=self.padding, groups=self.groups)


class Positions(nn.Module):
    """What a long convolution over the tokens (B, T, D) says of each one's place."""

    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        self.conv = PositionalConvolution(
            config.hidden_size, config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups
        )

    def forward(self, x: Tensor) -> Tensor:
        # an even kernel gives one position too many
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)


class SelfAttention(nn.Module):
    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.k_proj, self.v_proj = linear(width, width), linear(width, width)
        self.q_proj, self.out_proj = linear(width, width), linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads))


class FeedForward(nn.Module):
    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        self.intermediate_dense = linear(config.hidden_size, config.intermediate_size)
        self.output_dense = linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.output_dense(F.gelu(self.intermediate_dense(x)))


class Block(nn.Module):
    """Tokens (B, T, D) -> same. With `do_stable_layer_norm` a norm stands before what it serves, else behind
    it."""

    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.attention = SelfAttention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        if self.stable:
            x = x + self.attention(self.layer_norm(x))
            return x + self.feed_forward(self.final_layer_norm(x))
        x = self.layer_norm(x + self.attention(x))
        return self.final_layer_norm(x + self.feed_forward(x))


class Transformer(nn.Module):
    def __init__(self, config: Wav2Vec2Settings) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.pos_conv_embed = Positions(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        self.layers = Modules(Block(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        """What goes into the first block, then every block's output."""
        x = x + self.pos_conv_embed(x)
        outputs = [x if self.stable else self.layer_norm(x)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        if self.stable:
            outputs[-1] = self.layer_norm(outputs[-1])
        return outputs


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Starts as transformers' linear layers do."""
    layer = nn.Linear(inputs, outputs)
    start_normal(layer.weight, 0.02)
    nn.init.zeros_(layer.bias)
    return layer


def start_normal(weight: Tensor, deviation: float) -> None:
    """Draws weights, if there are any: on the meta device torch would import torch._dynamo, to draw none."""
    if not weight.is_meta:
        nn.init.normal_(weight, std=deviation)
