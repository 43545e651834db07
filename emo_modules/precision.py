"""What a rendering computes on and in: a GPU if there is one, and half precision where it is made for it."""

import logging

import torch

from .models.precision import fast_type, product_time

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SLOWER = 1.5

_log = logging.getLogger(__name__)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def default_precision(device: str) -> str:
    """bf16 on a GPU that multiplies it, fp16 on an older one, fp32 elsewhere."""
    if torch.device(device).type != "cuda":
        return "fp32"
    return "bf16" if fast_type(device) == torch.bfloat16 else "fp16"


def warn_of_emulation(precision: str, device: str) -> None:
    """Says so when the CPU is slower in half precision than in fp32: few have AVX512-BF16 or AMX."""
    if torch.device(device).type != "cpu" or precision == "fp32":
        return
    factor = product_time(DTYPES[precision]) / product_time(torch.float32)
    if factor > SLOWER:
        _log.warning("this CPU takes %.0f times as long in %s: choose --dtype fp32", factor, precision)
