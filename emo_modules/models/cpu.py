"""Layers for CPUs: linear layers through oneDNN.

PyTorch sends float32 matrix products to MKL, which leaves half of an AMD processor's vector width unused;
its convolutions go to oneDNN, which does not. The operation is the one that torch.compile calls.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear`; the same to float32 rounding."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu":
            return super().forward(x)
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


CPU = SimpleNamespace(
    Linear=Linear,
    Conv2d=nn.Conv2d,
    GroupNorm=nn.GroupNorm,
    LayerNorm=nn.LayerNorm,
    Embedding=nn.Embedding,
)


def operations_for(device: torch.device | str) -> Any:
    """What to build a model with that will run there."""
    faster = torch.device(device).type == "cpu" and torch.backends.mkldnn.is_available()
    return CPU if faster and hasattr(torch.ops.mkldnn, "_linear_pointwise") else nn
