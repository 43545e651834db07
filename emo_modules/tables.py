"""Tables that are made once and lie on the device that reads them: a CUDA graph cannot take them there."""

from collections.abc import Callable
from functools import _lru_cache_wrapper

import torch
from torch import Tensor


def cached(table: "_lru_cache_wrapper[Tensor]", x: Tensor) -> Callable[..., Tensor]:
    """A table as it is kept for tensors like x, or made anew while torch only traces.

    torch.compile warns of caches, and folds the table into its graph itself; a fake tensor must not outlive
    its mode, nor a real one get into it.
    """
    return table if type(x) is Tensor and not torch.compiler.is_compiling() else table.__wrapped__
