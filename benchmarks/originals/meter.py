"""Time of each denoising step, what the first is made of, and peak memory of a run of an original's code."""

import resource
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.originals.counting import Counts


class StepTimer:
    """Seconds per denoising step: from its first call of the denoiser to the end of scheduler.step.

    Steps are told apart by their timestep, so a pipeline that calls scheduler.step once per window counts
    as one step; the ReferenceNet and the VAE before the first call are in none. The first step is there to
    warm up: `counts` has what it is made of.
    """

    def __init__(self, scheduler: Any, denoiser: nn.Module, device: str = "cpu"):  # an original's own
        self.by_timestep: dict[int, float] = {}
        self.started: float | None = None
        self.counts, self.device = Counts(), device
        self.counting = ExitStack()
        denoiser.register_forward_pre_hook(self._begin)
        scheduler.step = self._timed(scheduler.step)

    def _begin(self, *_: object) -> None:
        if self.started is None:
            if not self.by_timestep:
                self.counting.enter_context(self.counts)
            self.started = now(self.device)

    def _timed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def timed(model_output: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Any:
            result = step(model_output, timestep, *args, **kwargs)
            if self.started is not None:
                spent = now(self.device) - self.started
                self.by_timestep[int(timestep)] = self.by_timestep.get(int(timestep), 0.0) + spent
            self.started = None
            self.counting.close()
            return result

        return timed

    @property
    def seconds(self) -> list[float]:
        return list(self.by_timestep.values())


def now(device: str) -> float:
    """Seconds, when the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def reset_peak(device: str = "cpu") -> None:
    """Starts the high-water mark anew, of this process or of PyTorch on a GPU, for peak_bytes."""
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")
    else:
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: str = "cpu") -> int:
    """Most memory since reset_peak or, without one, since the process began: resident, or of all tensors on
    a GPU.

    The mark behind ru_maxrss is the one of VmHWM, and writing to clear_refs restarts it for both.
    """
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(times: list[float], counts: Counts, clip: float, load_peak: int, device: str) -> dict[str, Any]:
    """Of one run: a clip without its first step, which warms up."""
    return {
        "step_seconds": times[1:],
        "clip_seconds": clip - times[0],
        "peak_bytes": max(load_peak, peak_bytes(device)),
        "denoise_peak_bytes": peak_bytes(device),
        "counted": counts.found,
    }
