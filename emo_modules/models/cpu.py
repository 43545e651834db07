"""What is faster on CPUs: linear layers through oneDNN, and pictures as its convolutions read them.

PyTorch sends float32 matrix products to MKL, which leaves half of an AMD processor's vector width unused;
its convolutions go to oneDNN, which does not. The operation is the one that torch.compile calls.
"""

import torch
from torch import Tensor, nn

from .attention import Operations


class Linear(nn.Linear):
    """`nn.Linear`; the same to float32 rounding."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu":
            return super().forward(x)
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


class CPUOperations(Operations):
    Linear = Linear


def for_convolutions(x: Tensor) -> Tensor:
    """The same pictures (N, C, H, W), on a CPU with channels last: oneDNN takes two thirds of the time."""
    return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def operations_for(device: torch.device | str) -> type[Operations]:
    """What to build a model of that will run there."""
    faster = torch.device(device).type == "cpu" and torch.backends.mkldnn.is_available()
    return CPUOperations if faster and hasattr(torch.ops.mkldnn, "_linear_pointwise") else Operations
