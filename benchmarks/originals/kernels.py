"""The CPU kernels that our side runs on, for an original: what is left is not the kernels' difference."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

released_linear: Any = nn.functional.linear
KERNELS = ("released", "channels-last", "onednn")  # the last is both


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As emo_modules.models.cpu.Linear."""
    if torch.is_grad_enabled() or input.dtype != torch.float32 or input.device.type != "cpu":
        return released_linear(input, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")


def take_kernels(name: str, networks: Iterable[nn.Module]) -> None:
    """One of KERNELS for these networks, and for all linear layers of this process."""
    if name == "onednn":
        nn.functional.linear = linear
    if name != "released":
        for network in networks:
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d):
                    weight = layer.weight.data
                    layer.weight.data = weight.contiguous(memory_format=torch.channels_last)
