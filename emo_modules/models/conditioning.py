"""Small encoders of the conditions: face region, audio window, head speed (EMO sec. 3.2)."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import EMOConfig, SpeedConfig
from ..tables import cached
from .attention import Operations, zero_module

MOTION_CODE = 4  # numbers a frame


class FaceLocator(nn.Module):
    """Region mask or landmark picture (B, C, 8H, 8W) in 0..1 -> features (B, C0, H, W) added to the noisy
    latents' first layer; where that sees several latents as one place, of the picture as much smaller.

    The output layer is zero at the start, so that adding the locator changes nothing (EMO sec. 3.2).
    """

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__()
        channels, self.patch = config.face_locator_channels, config.backbone.patch
        self.conv_in = operations.Conv2d(config.quirks.locator_inputs, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for a, b in zip(channels, channels[1:], strict=False):
            for _ in range(config.quirks.locator_convs - 1):
                self.blocks.append(operations.Conv2d(a, a, 3, padding=1))
            self.blocks.append(operations.Conv2d(a, b, 3, stride=2, padding=1))
        width = config.backbone.block_out_channels[0]
        self.conv_out = zero_module(operations.Conv2d(channels[-1], width, 3, padding=1))

    def forward(self, picture: Tensor) -> Tensor:
        if self.patch > 1:
            picture = F.avg_pool2d(picture, self.patch)
        h = F.silu(self.conv_in(picture))
        for block in self.blocks:
            h = F.silu(block(h))
        return self.conv_out(h)


class AudioProjection(nn.Module):
    """Audio windows (B, F, 2m+1, layers, D) -> tokens (B*F, L, audio_dim)."""

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__()
        audio, width = config.audio, config.audio_dim
        self.shape = (audio.tokens, width)
        window = config.window_rows * audio.layers * audio.feature_dim
        self.proj1 = operations.Linear(window, audio.hidden_dim)
        self.proj2 = operations.Linear(audio.hidden_dim, audio.hidden_dim)
        self.proj3 = operations.Linear(audio.hidden_dim, audio.tokens * width)
        self.norm = operations.LayerNorm(width)

    def forward(self, windows: Tensor) -> Tensor:
        h = F.relu(self.proj1(windows.flatten(0, 1).flatten(1)))
        return self.norm(self.proj3(F.relu(self.proj2(h))).unflatten(-1, self.shape))


def speed_buckets(speeds: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Head speeds (...) in degrees per second -> (..., d): s_d = tanh((w - c_d) / r_d * 3).

    A speed that is not known (NaN) is in the middle of every bucket at once, as no speed is: footage whose
    pose is unknown for some frames is trained on, and says nothing of these.
    """
    return torch.tanh((speeds[..., None] - centres) / radii * 3).nan_to_num(nan=0.0)


class MotionCodeEncoder(nn.Module):
    """Motion codes (B, F, MOTION_CODE) -> (B*F, T), added to the embedding of the timesteps; not in the
    paper."""

    def __init__(self, time_dim: int, operations: type[Operations] = Operations):
        super().__init__()
        self.proj1 = operations.Linear(MOTION_CODE, time_dim)
        self.proj2 = operations.Linear(time_dim, time_dim)

    def forward(self, code: Tensor) -> Tensor:
        return self.proj2(F.silu(self.proj1(code.flatten(0, 1))))


@lru_cache(maxsize=16)
def _row(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, device=device, dtype=dtype)


class SpeedEncoder(nn.Module):
    """Head speeds (B, F) in degrees per second -> tokens (B, F, speed_dim)."""

    def __init__(self, config: SpeedConfig, speed_dim: int, operations: type[Operations] = Operations):
        super().__init__()
        self.context, self.centres, self.radii = config.context, config.centres, config.radii
        window = (2 * config.context + 1) * len(config.centres)
        self.proj1 = operations.Linear(window, config.hidden_dim)
        self.proj2 = operations.Linear(config.hidden_dim, speed_dim)

    def forward(self, speeds: Tensor) -> Tensor:
        centres, radii = (
            cached(_row, speeds)(row, speeds.device, speeds.dtype) for row in (self.centres, self.radii)
        )
        buckets = speed_buckets(speeds, centres, radii)
        frames = torch.arange(speeds.shape[1], device=speeds.device)
        offsets = torch.arange(-self.context, self.context + 1, device=speeds.device)
        window = buckets[:, (frames[:, None] + offsets).clamp(0, speeds.shape[1] - 1)]
        return self.proj2(F.silu(self.proj1(window.flatten(2))))
