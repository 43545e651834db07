"""What is faster on CPUs: linear layers through oneDNN, and pictures as its convolutions read them.

PyTorch sends float32 matrix products to MKL, which leaves half of some AMD processors' vector width unused;
its convolutions go to oneDNN, which does not. The operation is the one that torch.compile calls.
"""

import time
from functools import cache

import torch
from torch import Tensor, nn

from .attention import Operations

# Of oneDNN's time, that MKL must stay below: it took twice as long on an AMD processor with AVX-512, and 0.86
# to 0.99 of it on one with AVX2
SURE = 0.8


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
    faster = torch.device(device).type == "cpu" and has_onednn() and not mkl_is_faster()
    return CPUOperations if faster else Operations


def has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@cache
def mkl_is_faster() -> bool:
    """By far: they round differently, and processes of one machine must choose the same, even if others
    disturb them."""
    mkl, onednn = linear_times(nn.Linear), linear_times(Linear)
    return mkl < SURE * onednn


@torch.no_grad()
def linear_times(kind: type[nn.Linear], tries: int = 5) -> float:
    """Seconds of a layer of that kind at its best: 0.04 GFLOP, a millisecond on a core."""
    times = []
    # also while a network is built that has no data yet, and without a draw from anybody's noise
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        layer, x = kind(320, 640), torch.ones(96, 320)
        for _ in range(tries):
            begin = time.perf_counter()
            layer(x)
            times.append(time.perf_counter() - begin)
    return min(times)
