"""The loop that trains every small network of this world."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from math import inf
from operator import add
from pathlib import Path
from statistics import fmean
from typing import ClassVar, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from emo_modules.writing.partial import whole_file

Log = Callable[[str], None]
Net = TypeVar("Net", bound=nn.Module)
EVERY = 100  # steps between two lines of the log


@dataclass(frozen=True)
class OneCycle:
    """So many steps; the rate rises to `lr`, then falls to nothing."""

    steps: int
    lr: float
    max_norm: ClassVar[float] = inf  # of the gradients

    def optimizer(self, net: nn.Module) -> Optimizer:
        return AdamW(net.parameters(), lr=self.lr, weight_decay=0.02)

    def progress(self, optimizer: Optimizer) -> Iterator[float]:
        """0..1 before each step, when its rate is set."""
        schedule = OneCycleLR(optimizer, self.lr, total_steps=self.steps)
        for step in range(self.steps):
            yield step / self.steps
            schedule.step()


@dataclass(frozen=True)
class WallClock:
    """So many minutes; the rate rises to `lr` in `warmup` steps and falls with the time that is left."""

    minutes: float
    lr: float
    warmup: int
    weight_decay: float = 0.0
    fused: bool | None = None  # AdamW's
    max_norm: ClassVar[float] = 1.0

    def optimizer(self, net: nn.Module) -> Optimizer:
        betas, decay = (0.9, 0.98), self.weight_decay
        return AdamW(net.parameters(), lr=self.lr, betas=betas, weight_decay=decay, fused=self.fused)

    def progress(self, optimizer: Optimizer) -> Iterator[float]:
        """0..1 before each step, when its rate is set."""
        start, step = time.monotonic(), 0
        while (progress := (time.monotonic() - start) / (self.minutes * 60)) < 1:
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = self.lr * min(1, step / self.warmup) * max(0.02, 1 - progress)
            yield progress


def fit(
    net: nn.Module,
    loss: Callable[[], dict[str, Tensor]],
    pace: OneCycle | WallClock,
    name: str,
    log: Log = print,
    check: Callable[[], str] = lambda: "",
) -> None:
    """Minimises the sum of the loss's parts over the net's weights and leaves the net frozen.

    Logs the mean of each part and what `check` says, every hundred steps and at the end.
    """
    net.requires_grad_(True).train()
    optimizer, step, recent = pace.optimizer(net), 0, list[dict[str, float]]()

    def report() -> None:
        means = (f"{part} {fmean(row[part] for row in recent):.4f}" for part in recent[0])
        log(" ".join([f"{name}: step {step}", *means, check()]).strip())
        recent.clear()

    for _ in pace.progress(optimizer):
        parts = loss()
        optimizer.zero_grad()
        reduce(add, parts.values()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), pace.max_norm)
        optimizer.step()
        step += 1
        recent.append({part: value.item() for part, value in parts.items()})
        if step % EVERY == 0:
            report()
    net.requires_grad_(False).eval()
    if recent:
        report()


def with_norms_held(net: nn.Module, loss: Callable[[], dict[str, Tensor]]) -> Callable[[], dict[str, Tensor]]:
    """The same loss with the statistics that the net's batch norms have gathered, not with a batch's."""

    def held() -> dict[str, Tensor]:
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return loss()

    return held


def write_weights(net: nn.Module, path: Path, dtype: torch.dtype | None = None) -> None:
    """Safetensors, in another precision if asked, without the counters that only training reads."""
    state = net.state_dict().items()
    tensors = {n: v.to(dtype).contiguous() for n, v in state if not n.endswith("num_batches_tracked")}
    with whole_file(path) as unfinished:
        save_file(tensors, unfinished)


def channels_last(net: Net) -> Net:
    """The same net, its convolutions' weights laid out as CPUs like them."""
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub


def create_net(kind: Callable[[], Net], seed: int) -> Net:
    """A network whose first weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind()
