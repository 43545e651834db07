"""Where the time of a rendering goes, on a clock that the test moves."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from emo_modules.cost.rates import Rates
from emo_modules.cost.stopwatch import Stopwatch
from emo_modules.cost.work import Work

CLIP = 4


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Rendering:
    """Clips of four frames, after 3 s of start and 1 s of hearing: 0.5 s of conditions, 2 s a step and 1.5 s
    of writing; the first clip takes 10 s longer in its first step. Kept clips take 0.1 s and no step."""

    def __init__(self, work: Work, kept: int = 0) -> None:
        self.clock, self.work, self.kept, self.told = Clock(), work, kept, list[float | None]()
        self.watch = Stopwatch(3.0, self.clock)
        self.solve = self.watch.solving(self._solve)

    def _solve(self, noise: Tensor, conditions: object, clip: int) -> Tensor:
        for step in range(self.work.steps):
            self.clock.now += 2 + (10 if clip == self.kept and step == 0 else 0)
            self.watch.step(step + 1, self.work.steps)
            self.told.append(self.watch.left(self.work))
        return noise

    def _clips(self) -> Iterator[Tensor]:
        with self.watch.hearing():
            self.clock.now += 1
        for clip in range(self.work.clips):
            if clip < self.kept:
                self.clock.now += 0.1
                yield torch.zeros(CLIP)
                continue
            self.clock.now += 0.5
            yield self.solve(torch.zeros(CLIP), None, clip)[: self.work.frames - CLIP * clip]

    def run(self, clips: int | None = None) -> Rates | None:
        for number, _ in enumerate(self.watch.laps(self._clips())):
            self.clock.now += 1.5 if number >= self.kept else 0
            if number + 1 == clips:
                break
        return self.watch.rates(self.work)


@pytest.fixture
def work(tiny_config) -> Work:
    return Work(tiny_config, 20, 2.0, 64, 64, steps=3, cfg=1.0)


def test_the_parts_are_told_apart_and_warming_up_belongs_to_the_start(work):
    rates = Rendering(work).run()
    assert rates == pytest.approx(Rates(start=13.0, hearing=0.5, step=0.5, frame=0.5), abs=1e-6)


def test_the_rates_foretell_the_run_they_were_measured_in(work):
    rendering = Rendering(work)
    rates = rendering.run()
    assert rates.seconds(work) == pytest.approx(rendering.clock.now - 100 + 3)


def test_kept_clips_do_not_spoil_the_rates(work):
    assert Rendering(work, kept=2).run() == pytest.approx(Rendering(work).run(), abs=1e-6)


def test_only_kept_clips_have_no_rates(work):
    assert Rendering(work, kept=5).run() is None


def test_the_time_left_is_told_from_the_second_step_on_and_is_right_after_two_clips(work):
    rendering = Rendering(work)
    rendering.run()
    told = rendering.told
    assert told[0] is None
    assert told[1] == pytest.approx((5 * 3 - 2) * 2)  # steps alone are known
    # four clips of 8 s, one of which has taken its half second and a step
    assert told[6] == pytest.approx(3 * 8 - 0.5 - 2 + 0.5)
    assert told[-1] == pytest.approx(2.0)


def test_earlier_runs_tell_the_time_left_until_the_second_clip(work):
    rendering = Rendering(work)
    known = Rates(0.0, 0.0, 1.0, 1.0)
    rendering.run(clips=1)
    assert rendering.watch.left(work, known) == pytest.approx(16 * 3 + 20)  # it is still being written
