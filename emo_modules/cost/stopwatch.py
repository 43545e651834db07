"""Where the time of a rendering goes, measured while it runs."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.conditions import Conditions
from ..sampling.clips import Solve
from ..sampling.windows import Windows
from .rates import Rates
from .work import Work


@dataclass(frozen=True)
class Lap:
    """Seconds that so many frames took."""

    seconds: float
    frames: int


def _per_frame(laps: list[Lap]) -> float:
    """Without the first one, if there are more: it warms up."""
    counted = laps[1:] or laps
    return sum(lap.seconds for lap in counted) / sum(lap.frames for lap in counted)


class Stopwatch:
    """Runs from when it is made, or `before` seconds longer.

    Clips that are taken from the store count for nothing: no solver ran for them.
    """

    def __init__(self, before: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = clock() - before
        self._hearing = self._kept = self._solving = 0.0
        self._solves: list[Lap] = []
        self._besides: list[Lap] = []  # the rest of the frames that were solved
        self._waiting = self._given = 0  # frames solved and not given yet; given
        # of the solver that runs: its frames, and of each step when it was done and which share that made
        self._running, self._steps = 0, list[tuple[float, float]]()

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Around the speech encoder."""
        start = self._clock()
        yield
        self._last = self._clock()
        self._hearing += self._last - start

    def solving(self, solve: Solve) -> Solve:
        """The same solver, timed."""

        def timed(noise: Tensor, conditions: Conditions | Windows, clip: int) -> Tensor:
            start = self._clock()
            self._running, self._steps = len(noise), []
            latents = solve(noise, conditions, clip)
            if latents.is_cuda:  # a GPU is given its work faster than it does it
                torch.cuda.synchronize(latents.device)
            self._solves.append(Lap(self._clock() - start, self._running))
            self._solving += self._solves[-1].seconds
            self._waiting += self._running
            self._running = 0
            return latents

        return timed

    def step(self, done: int, total: int) -> None:
        """So many parts of the solver's work are done."""
        self._steps.append((self._clock(), min(done / total, 1)))

    def laps(self, clips: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same clips (F, ...). What is done with one until the next is asked for counts as its time."""
        for clip in clips:
            yield clip
            self._lap(len(clip))

    def rates(self, work: Work) -> Rates | None:
        """As they were until now; None while no clip was computed."""
        if not self._solves or not self._besides:
            return None
        step, frame = self._step_rate(work), _per_frame(self._besides)
        done = step * work.passes() * sum(lap.frames for lap in self._solves)
        done += frame * sum(lap.frames for lap in self._besides)
        start = self._clock() - self._start - self._hearing - self._kept - done
        return Rates(max(0.0, start), self._hearing / work.sound, step, frame)

    def left(self, work: Work, known: Rates | None = None) -> float | None:
        """Seconds until the end, told after a step or a clip; None as long as nothing is known.

        `known` are rates of earlier runs, which count until a clip after the first one is done.
        """
        own = self.rates(work) if len(self._besides) > 1 or work.config.quirks.windows else None
        rates = own or known or self._rates_of_steps(work)
        if rates is None:
            return None
        frames = work.frames - self._given
        unsolved = max(0, work.solved_frames - self._given - self._waiting) * work.passes()
        done = self._running * work.passes_of(self._steps[-1][1]) if self._steps else 0.0
        return rates.step * max(0.0, unsolved - done) + rates.frame * frames

    def _lap(self, frames: int) -> None:
        now = self._clock()
        besides = now - self._last - self._solving
        if self._waiting > 0:
            self._besides.append(Lap(besides, frames))
        else:
            self._kept += besides
        self._waiting = max(0, self._waiting - frames)
        self._given += frames
        self._last, self._solving = now, 0.0

    def _step_rate(self, work: Work) -> float:
        if len(self._solves) == 1 and (found := self._after_first_step(work, self._solves[0].frames)):
            return found
        return _per_frame(self._solves) / work.passes()

    def _after_first_step(self, work: Work, frames: int) -> float | None:
        """The first one warms up. None when there is no other."""
        if len(self._steps) < 2:
            return None
        (start, first), (end, last) = self._steps[0], self._steps[-1]
        passes = work.passes_of(last) - work.passes_of(first)
        return (end - start) / (passes * frames) if passes and frames else None

    def _rates_of_steps(self, work: Work) -> Rates | None:
        step = self._after_first_step(work, self._running)
        return None if step is None else Rates(0.0, 0.0, step, 0.0)
