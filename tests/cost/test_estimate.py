"""What the user is told before a rendering starts."""

from dataclasses import replace

import pytest
import torch

from emo_modules.config import EMOConfig
from emo_modules.cost.estimate import duration, estimate
from emo_modules.cost.memory import Memory
from emo_modules.cost.rates import Rates
from emo_modules.cost.work import Work

GB = 10**9
RATES = Rates(4.0, 0.0, 0.05, 0.0)


@pytest.fixture
def work() -> Work:
    return Work(EMOConfig.sd15(), 125, 5.0, 512, 512, steps=1, cfg=1.0)


def test_what_fits_is_said_without_advice(work):
    found = estimate(work, RATES, Memory(9 * GB), Memory(20 * GB))
    assert (found.frames, found.clips, found.steps, found.fits) == (125, 11, 11, True)
    assert found.seconds == pytest.approx(4 + 132 * 0.05)
    assert list(found.lines()) == [
        "125 frames, 11 clips, 11 steps",
        "about 11 s; clips that are kept from an earlier run take none",
        "memory: 9.0 GB of 20.0 GB that are free",
    ]


def test_the_time_is_unknown_before_the_first_run(work):
    found = estimate(work, None, Memory(GB))
    assert found.seconds is None
    assert list(found.lines())[1:] == [
        "the time is told after the first steps: nothing like it was rendered here yet",
        "memory: 1.0 GB",
    ]


@pytest.mark.parametrize(
    ("changed", "lean", "advice"),
    [
        ({}, False, "take --dtype bf16, take --low-memory or close other programs"),
        ({"width": 768}, False, "lower --size, take --dtype bf16, take --low-memory or close other programs"),
        ({"dtype": torch.bfloat16}, True, "close other programs"),
    ],
)
def test_what_does_not_fit_says_what_to_lower(work, changed, lean, advice):
    found = estimate(replace(work, **changed), RATES, Memory(9 * GB), Memory(8 * GB), lean)
    assert not found.fits
    assert list(found.lines())[-1] == f"that does not fit: {advice}"


def test_a_gpu_has_a_line_of_its_own_and_must_hold_its_part(work):
    found = estimate(work, RATES, Memory(GB, 9 * GB), Memory(20 * GB, 8 * GB))
    assert "memory of the GPU: 9.0 GB of 8.0 GB that are free" in list(found.lines())
    assert not found.fits


def test_hours_say_what_takes_less(work):
    long = replace(work, frames=25 * 3600, steps=40, cfg=3.5)
    assert list(estimate(long, RATES, Memory(GB)).lines())[-1] == (
        "for less time, take fewer --steps, --deep-cache 2 or a shorter share of --guided-steps"
    )
    cached = replace(long, deep_cache=2, cfg=1.0)
    assert list(estimate(cached, RATES, Memory(GB)).lines())[-1] == "for less time, take fewer --steps"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (12_059, "3 h 20 min")],
)
def test_durations_are_short(seconds, said):
    assert duration(seconds) == said
