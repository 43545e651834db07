"""V-Express's audio projection: a perceiver resampler."""

import torch
from torch import Tensor, nn

from ...config import PERCEIVER_HEADS, EMOConfig
from ..attention import Modules, Operations


class PerceiverAttention(nn.Module):
    """Latents (B, L, D) attend to the input (B, N, D) and to themselves."""

    def __init__(self, dim: int, heads: int, operations: type[Operations] = Operations):
        super().__init__()
        self.heads, self.attend = heads, operations.attend
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

    def __init__(self, config: EMOConfig, operations: type[Operations] = Operations):
        super().__init__()
        audio, audio_dim = config.audio, config.audio_dim
        self.pos_emb = operations.Embedding(config.window_rows, audio.feature_dim)
        self.latents = operations.Embedding(audio.tokens, audio_dim)
        self.proj_in = operations.Linear(audio.feature_dim, audio_dim)
        self.proj_out = operations.Linear(audio_dim, audio_dim)
        self.norm_out = operations.LayerNorm(audio_dim)
        self.layers: Modules[Modules[nn.Module]] = Modules(
            Modules(
                [
                    PerceiverAttention(audio_dim, PERCEIVER_HEADS, operations),
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
