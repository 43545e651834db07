"""Small encoders of the conditions: face region, audio window, head speed (EMO sec. 3.2)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import PERCEIVER_HEADS, EMOConfig, SpeedConfig
from .attention import Attend, attend


class FaceLocator(nn.Module):
    """Region mask or landmark picture (B, C, 8H, 8W) in 0..1 -> features (B, C0, H, W) added to the noisy
    latents' first layer.

    The output layer is zero at the start, so that adding the locator changes nothing (EMO sec. 3.2).
    """

    def __init__(self, config: EMOConfig, operations: Any = nn):
        super().__init__()
        channels = config.face_locator_channels
        self.conv_in = operations.Conv2d(config.quirks.locator_inputs, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for a, b in zip(channels, channels[1:], strict=False):
            for _ in range(config.quirks.locator_convs - 1):
                self.blocks.append(operations.Conv2d(a, a, 3, padding=1))
            self.blocks.append(operations.Conv2d(a, b, 3, stride=2, padding=1))
        self.conv_out = operations.Conv2d(channels[-1], config.backbone.block_out_channels[0], 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, picture: Tensor) -> Tensor:
        h = F.silu(self.conv_in(picture))
        for block in self.blocks:
            h = F.silu(block(h))
        return self.conv_out(h)


class AudioProjection(nn.Module):
    """Audio windows (B, F, 2m+1, layers, D) -> tokens (B*F, L, audio_dim)."""

    def __init__(self, config: EMOConfig, operations: Any = nn):
        super().__init__()
        audio, width = config.audio, config.backbone.audio_dim
        self.shape = (audio.tokens, width)
        window = config.window_rows * audio.layers * audio.feature_dim
        self.proj1 = operations.Linear(window, audio.hidden_dim)
        self.proj2 = operations.Linear(audio.hidden_dim, audio.hidden_dim)
        self.proj3 = operations.Linear(audio.hidden_dim, audio.tokens * width)
        self.norm = operations.LayerNorm(width)

    def forward(self, windows: Tensor) -> Tensor:
        h = F.relu(self.proj1(windows.flatten(0, 1).flatten(1)))
        return self.norm(self.proj3(F.relu(self.proj2(h))).unflatten(-1, self.shape))


class PerceiverAttention(nn.Module):
    """Latents (B, L, D) attend to the input (B, N, D) and to themselves."""

    def __init__(self, dim: int, heads: int, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        self.heads, self.attend = heads, attend
        self.norm1 = operations.LayerNorm(dim)
        self.norm2 = operations.LayerNorm(dim)
        self.to_q = operations.Linear(dim, dim, bias=False)
        self.to_kv = operations.Linear(dim, 2 * dim, bias=False)
        self.to_out = operations.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        normed = self.norm2(latents)
        key, value = self.to_kv(torch.cat([self.norm1(x), normed], dim=1)).chunk(2, dim=-1)
        return self.to_out(self.attend(self.to_q(normed), key, value, self.heads))


class PerceiverProjection(nn.Module):
    """V-Express: audio windows (B, F, rows, 1, D) -> tokens (B*F, L, audio_dim), resampled by attention."""

    DEPTH = 4

    def __init__(self, config: EMOConfig, operations: Any = nn, attend: Attend = attend):
        super().__init__()
        audio, audio_dim = config.audio, config.backbone.audio_dim
        self.pos_emb = operations.Embedding(config.window_rows, audio.feature_dim)
        self.latents = operations.Embedding(audio.tokens, audio_dim)
        self.proj_in = operations.Linear(audio.feature_dim, audio_dim)
        self.proj_out = operations.Linear(audio_dim, audio_dim)
        self.norm_out = operations.LayerNorm(audio_dim)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PerceiverAttention(audio_dim, PERCEIVER_HEADS, operations, attend),
                    nn.Sequential(
                        operations.LayerNorm(audio_dim),
                        operations.Linear(audio_dim, 4 * audio_dim, bias=False),
                        nn.GELU(),
                        operations.Linear(4 * audio_dim, audio_dim, bias=False),
                    ),
                ]
            )
            for _ in range(self.DEPTH)
        )

    def forward(self, windows: Tensor) -> Tensor:
        x = windows.flatten(0, 1).flatten(1, 2)
        places, queries = (
            torch.arange(layer.weight.shape[0], device=x.device) for layer in (self.pos_emb, self.latents)
        )
        x = self.proj_in(x + self.pos_emb(places).to(x.dtype))
        latents = self.latents(queries).to(x.dtype).expand(len(x), -1, -1)
        for attention, feed_forward in self.layers:
            latents = latents + attention(x, latents)
            latents = latents + feed_forward(latents)
        return self.norm_out(self.proj_out(latents))


def speed_buckets(speeds: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Head speeds (...) in degrees per second -> (..., d): s_d = tanh((w - c_d) / r_d * 3)."""
    return torch.tanh((speeds[..., None] - centres) / radii * 3)


class SpeedEncoder(nn.Module):
    """Head speeds (B, F) in degrees per second -> tokens (B, F, speed_dim)."""

    def __init__(self, config: SpeedConfig, speed_dim: int, operations: Any = nn):
        super().__init__()
        self.context, self.centres, self.radii = config.context, config.centres, config.radii
        window = (2 * config.context + 1) * len(config.centres)
        self.proj1 = operations.Linear(window, config.hidden_dim)
        self.proj2 = operations.Linear(config.hidden_dim, speed_dim)

    def forward(self, speeds: Tensor) -> Tensor:
        like = {"device": speeds.device, "dtype": speeds.dtype}
        buckets = speed_buckets(speeds, torch.tensor(self.centres, **like), torch.tensor(self.radii, **like))
        frames = torch.arange(speeds.shape[1], device=speeds.device)
        offsets = torch.arange(-self.context, self.context + 1, device=speeds.device)
        window = buckets[:, (frames[:, None] + offsets).clamp(0, speeds.shape[1] - 1)]
        return self.proj2(F.silu(self.proj1(window.flatten(2))))
