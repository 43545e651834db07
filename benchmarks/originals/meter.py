"""Time of each denoising step and peak memory of a run of an original's code."""

import resource
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class StepTimer:
    """Seconds per denoising step: from its first call of the denoiser to the end of scheduler.step.

    Steps are told apart by their timestep, so a pipeline that calls scheduler.step once per window counts
    as one step; the ReferenceNet and the VAE before the first call are in none.
    """

    def __init__(self, scheduler: Any, denoiser: nn.Module):  # an original's own
        self.by_timestep: dict[int, float] = {}
        self.started: float | None = None
        denoiser.register_forward_pre_hook(self._begin)
        scheduler.step = self._timed(scheduler.step)

    def _begin(self, *_: object) -> None:
        if self.started is None:
            self.started = time.perf_counter()

    def _timed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def timed(model_output: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Any:
            result = step(model_output, timestep, *args, **kwargs)
            if self.started is not None:
                spent = time.perf_counter() - self.started
                self.by_timestep[int(timestep)] = self.by_timestep.get(int(timestep), 0.0) + spent
            self.started = None
            return result

        return timed

    @property
    def seconds(self) -> list[float]:
        return list(self.by_timestep.values())


def reset_peak() -> None:
    """Starts the kernel's high-water mark of this process anew, for peak_bytes."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Most memory resident since reset_peak or, without one, since the process began.

    The mark behind ru_maxrss is the one of VmHWM, and writing to clear_refs restarts it for both.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
