"""Attention and feed-forward layers under diffusers' parameter names."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KeysValues = tuple[Tensor, Tensor]  # both (B, L, D)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (B, L, D) tokens; the only attention call of the model."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    if q.device.type == "cpu" and torch.is_grad_enabled():
        # the fused kernel's backward pass on CPU took 40 % of a training step; this form takes 10 %
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)
        return (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


Attend = Callable[[Tensor, Tensor, Tensor, int], Tensor]


class Attention(nn.Module):
    """Multi-head attention of tokens (B, L, D) to themselves or to a context (B, L', context_dim)."""

    def __init__(
        self,
        dim: int,
        heads: int,
        context_dim: int | None = None,
        operations: Any = nn,
        attend: Attend = attend,
    ):
        super().__init__()
        context_dim = context_dim or dim
        self.heads, self.attend = heads, attend
        self.to_q = operations.Linear(dim, dim, bias=False)
        self.to_k = operations.Linear(context_dim, dim, bias=False)
        self.to_v = operations.Linear(context_dim, dim, bias=False)
        self.to_out = nn.ModuleList([operations.Linear(dim, dim)])

    def keys_values(self, context: Tensor, positions: Tensor | None = None) -> KeysValues:
        """Project a context once, to attend to it at every step. Positions are added to the keys only."""
        return self.to_k(context if positions is None else context + positions), self.to_v(context)

    def forward(self, x: Tensor, context: KeysValues | None = None) -> Tensor:
        """x (B, L, D) attends to a projected context, or to itself when there is none."""
        key, value = self.keys_values(x) if context is None else context
        return self.to_out[0](self.attend(self.to_q(x), key, value, self.heads))

    def absent(self, x: Tensor) -> Tensor:
        """What attention to an all-zero context gives: keys and values are zero, only the bias remains."""
        linear = self.to_out[0]
        return linear(torch.zeros_like(x[:1, :1]))


class GEGLU(nn.Module):
    def __init__(self, dim: int, inner: int, operations: Any = nn):
        super().__init__()
        self.proj = operations.Linear(dim, inner * 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden, gate = self.proj(x).chunk(2, dim=-1)
        return hidden * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, dim: int, operations: Any = nn):
        super().__init__()
        # index 1 is diffusers' dropout: kept so that the last layer is net.2
        self.net = nn.ModuleList(
            [GEGLU(dim, dim * 4, operations), nn.Identity(), operations.Linear(dim * 4, dim)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


def sinusoid(positions: Tensor, dim: int, max_period: float = 10000.0) -> Tensor:
    """positions (P,) -> (P, dim): cosines, then sines, of geometrically spaced frequencies."""
    half = dim // 2
    frequencies = max_period ** (-torch.arange(half, device=positions.device, dtype=torch.float32) / half)
    angles = positions[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
