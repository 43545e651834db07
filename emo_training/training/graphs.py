"""CUDA graphs of what a training step repeats: small networks wait for Python to launch their kernels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")
WARM_UP = 3  # runs before the capture, in which libraries choose their kernels and tables are made
DEVICE = threading.Lock()  # while a graph is captured no other thread may use the device


class Graphed(Generic[Result]):
    """A function of one dataclass of tensors, always of the same shapes, captured at its first call.

    What it returns is overwritten by the next call. It must neither read the device from Python nor take
    anything to it.
    """

    def __init__(self, function: Callable[[Any], Result]) -> None:
        self.function = function
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, given: Any) -> Result:
        if self.graph is None:
            self.capture(given)
        assert self.graph is not None  # captured above
        copy_tensors(given, self.given)
        self.graph.replay()
        return self.result

    def capture(self, given: Any) -> None:
        self.given = clone_tensors(given)
        with DEVICE:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    self.function(self.given)
            torch.cuda.current_stream().wait_stream(side)
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.result = self.function(self.given)


def clone_tensors(given: Any) -> Any:
    """A dataclass of tensors, and of such dataclasses, with copies of them all."""
    if isinstance(given, Tensor):
        return given.clone()
    return type(given)(**{f.name: clone_tensors(getattr(given, f.name)) for f in fields(given)})


def copy_tensors(given: Any, kept: Any) -> None:
    """Writes the tensors of one such dataclass over those of another."""
    for field in fields(given):
        new, old = getattr(given, field.name), getattr(kept, field.name)
        if is_dataclass(new):
            copy_tensors(new, old)
        else:
            old.copy_(new)
