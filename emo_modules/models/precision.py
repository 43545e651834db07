"""In which type a device computes faster: some CPUs multiply bfloat16 five times as fast as float32, others
take six times as long."""

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

AMPERE = (8, 0)  # the first generation of GPUs that multiplies bf16


def fast_type(device: torch.device | str) -> torch.dtype:
    """Half precision or float32: what a GPU is made for, and on a CPU what was faster when it was tried."""
    if torch.device(device).type != "cuda":
        return _fast_cpu_type()
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= AMPERE else torch.float16


@cache
def _fast_cpu_type() -> torch.dtype:
    """By a matrix product and a convolution together."""
    halves, singles = (
        product_time(dtype) + convolution_time(dtype) for dtype in (torch.bfloat16, torch.float32)
    )
    return torch.bfloat16 if halves < singles else torch.float32


def fast_autocast(device: torch.device | str) -> torch.autocast:
    """What is computed within is in the faster type, as far as autocast holds that to be safe. Float16, which
    needs its gradients scaled, is never taken."""
    faster = fast_type(device) == torch.bfloat16
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=faster)


def product_time(dtype: torch.dtype, size: int = 256) -> float:
    """Seconds of a matrix product on the CPU."""
    matrix = torch.ones(size, size, dtype=dtype)
    return _fastest(lambda: matrix @ matrix)


def convolution_time(dtype: torch.dtype, channels: int = 64, size: int = 32) -> float:
    """Seconds of a 3 x 3 convolution on the CPU."""
    picture = torch.ones(4, channels, size, size, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernels = torch.ones(channels, channels, 3, 3, dtype=dtype)
    return _fastest(lambda: F.conv2d(picture, kernels, padding=1))


def _fastest(compute: Callable[[], object], tries: int = 5) -> float:
    times = []
    for _ in range(tries):
        begin = time.perf_counter()
        compute()
        times.append(time.perf_counter() - begin)
    return min(times)
