"""Time and memory of what a device computes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

WARM, LEAST, MOST = 2, 3, 10  # calls that count for nothing; calls that do
ENOUGH = 3.0  # seconds, after which no further call is timed


@dataclass(frozen=True)
class Clock:
    device: torch.device
    once: bool = False  # time everything once, cold: to see that it runs

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def seconds(self, call: Callable[[], object]) -> float:
        """Until the device has done all of it."""
        self._settle()
        start = time.perf_counter()
        call()
        self._settle()
        return time.perf_counter() - start

    def repeated(self, call: Callable[[], object]) -> float:
        """The median, warmed up."""
        if self.once:
            return self.seconds(call)
        for _ in range(WARM):
            self.seconds(call)
        times: list[float] = []
        while len(times) < LEAST or (len(times) < MOST and sum(times) < ENOUGH):
            times.append(self.seconds(call))
        return median(times)

    def forget_peak(self) -> None:
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def memory(self) -> dict[str, float]:
        """Gigabytes since `forget_peak`: of all tensors at their most, of what PyTorch's allocator held for
        them, and of what the card has given away, to CUDA and to other programs too. Nothing on a CPU."""
        if not self.cuda:
            return {}
        free, total = torch.cuda.mem_get_info(self.device)
        return {
            "peak_gb": gigabytes(torch.cuda.max_memory_allocated(self.device)),
            "reserved_gb": gigabytes(torch.cuda.max_memory_reserved(self.device)),
            "card_gb": gigabytes(total - free),
        }

    def _settle(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)


def gigabytes(size: float) -> float:
    return round(size / 1e9, 3)
