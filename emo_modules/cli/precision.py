"""What a rendering computes in: half precision where the device is made for it."""

import logging
import time

import torch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
AMPERE = (8, 0)  # the first generation of GPUs that multiplies bf16
SLOWER = 1.5

_log = logging.getLogger(__name__)


def default_precision(device: str) -> str:
    """bf16 on a GPU that multiplies it, fp16 on an older one, fp32 elsewhere."""
    if torch.device(device).type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= AMPERE else "fp16"


def warn_of_emulation(precision: str, device: str) -> None:
    """Says so when the CPU is slower in half precision than in fp32: few have AVX512-BF16 or AMX."""
    if torch.device(device).type != "cpu" or precision == "fp32":
        return
    factor = _product_time(DTYPES[precision]) / _product_time(torch.float32)
    if factor > SLOWER:
        _log.warning("this CPU takes %.0f times as long in %s: choose --dtype fp32", factor, precision)


def _product_time(dtype: torch.dtype, size: int = 256, tries: int = 5) -> float:
    """Seconds of the fastest of some matrix products."""
    matrix, times = torch.ones(size, size, dtype=dtype), []
    for _ in range(tries):
        begin = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - begin)
    return min(times)
