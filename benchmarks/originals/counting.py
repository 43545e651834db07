"""What a computation is made of, counted while it runs, of an original's code and of ours alike."""

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_flop_count, shape_wrapper

RESERVING = {"empty", "empty_like", "empty_strided", "new_empty", "_unsafe_view"}
Shape = tuple[int, ...]


@dataclass
class Counts(TorchDispatchMode):
    """What runs under it: kernels by name, the bytes that they read and write when none is fused with
    another, and the floating-point operations of products, convolutions and attention. A kernel is a call of
    ATen that is no view and does more than reserve memory."""

    kernels: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    operations: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        name = func._schema.name.removeprefix("aten::")
        if not func.is_view and name not in RESERVING:
            self.kernels[name] += 1
            self.bytes += sum(size_of(leaf) for leaf in tree_leaves((args, given, out)))
        if (formula := formulas().get(func._overloadpacket)) is not None:
            self.operations += formula(*args, **given, out_val=out)
        return out

    @property
    def found(self) -> dict[str, float]:
        return {
            "teraflop": self.operations / 1e12,
            "gigabyte": self.bytes / 1e9,
            "kernels": self.kernels.total(),
        }


def size_of(value: Any) -> int:
    """Bytes of a tensor's own elements, those that it repeats once."""
    if not isinstance(value, Tensor):
        return 0
    sides = zip(value.shape, value.stride(), strict=True)
    return math.prod(side for side, stride in sides if stride or not side) * value.itemsize


@cache
def formulas() -> dict[Any, Any]:
    """PyTorch's, and those of what no GPU has, which it leaves out."""
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    own = {attention: shape_wrapper(attention_operations)}
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        own[torch.ops.mkldnn._linear_pointwise] = shape_wrapper(linear_operations)
    return {**flop_registry, **own}


def attention_operations(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def linear_operations(x: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return 2 * math.prod(x) * weight[0]
