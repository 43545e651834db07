"""Schedules are diffusers', and every solver finds the clean latents of a perfect predictor."""

from dataclasses import replace
from types import SimpleNamespace

import diffusers
import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensor, FakeTensorMode

from emo_modules.config import ScheduleConfig
from emo_modules.sampling.solver import Solver, Step
from emo_modules.schedule import (
    SOLVERS,
    TRAIN_STEPS,
    add_noise,
    alpha_bar_at,
    alphas_cumprod,
    build_scheduler,
    clean_estimate,
    implied_prediction,
    training_target,
)

SHAPE = (3, 4, 5, 6)
PAPER = ScheduleConfig()
DEMO = ScheduleConfig("v_prediction", zero_terminal_snr=True)
# Single precision; lcm keeps a share of up to 1e-4 of its input.
TOLERANCE = {"ddim": 5e-5, "dpm++2m": 5e-5, "unipc": 5e-5, "euler": 5e-5, "lcm": 1e-4}
# diffusers puts alpha 2 ** -24 for 0 at the end of a zero terminal SNR schedule: 2.4e-4 of the noise is left.
TOLERANCE_AT_ONE_STEP = 1.5e-3


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("zero_terminal_snr", [False, True])
@pytest.mark.parametrize("beta_schedule", ["scaled_linear", "linear"])
def test_alphas_are_those_of_diffusers(beta_schedule, zero_terminal_snr):
    config = ScheduleConfig("v_prediction", beta_schedule, zero_terminal_snr=zero_terminal_snr)
    theirs = diffusers.DDIMScheduler(
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        beta_schedule=beta_schedule,
        rescale_betas_zero_snr=zero_terminal_snr,
    ).alphas_cumprod
    ours = alphas_cumprod(config)
    assert ours.dtype == torch.float64
    assert ours.shape == (TRAIN_STEPS,)
    assert (ours - theirs.double()).abs().max() < 2e-6
    assert (ours[-1] == 0) == zero_terminal_snr


def test_zero_terminal_snr_keeps_the_first_step_and_ends_at_zero():
    plain, rescaled = alphas_cumprod(PAPER), alphas_cumprod(DEMO)
    assert rescaled[0] == pytest.approx(plain[0].item(), abs=1e-12)
    assert plain[-1] > 4e-3
    assert (rescaled.diff() < 0).all()


@pytest.mark.parametrize("config", [PAPER, DEMO], ids=["epsilon", "v"])
def test_target_and_estimate_are_inverse(config):
    clean, noise = randn(0), randn(1)
    for alpha_bar in alphas_cumprod(config)[[0, 400, 998]].float():
        noisy, target = (
            f(clean, noise, alpha_bar) for f in (add_noise, lambda *given: training_target(*given, config))
        )
        assert (clean_estimate(noisy, target, alpha_bar, config) - clean).abs().max() < 1e-4


def test_velocity_at_the_last_step_is_the_picture():
    clean, noise, last = randn(0), randn(1), alphas_cumprod(DEMO)[-1].float()
    assert torch.equal(add_noise(clean, noise, last), noise)
    assert torch.equal(training_target(clean, noise, last, DEMO), -clean)


def perfect(config: ScheduleConfig, clean: Tensor) -> SimpleNamespace:
    """A model that knows the clean latents of whatever it is shown."""

    def predict(x: Tensor, timesteps: Tensor, conditions: None) -> Tensor:
        a = alphas_cumprod(config)[timesteps.long()].float()[:, None, None, None]
        noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
        return training_target(clean, noise, a, config)

    return SimpleNamespace(config=SimpleNamespace(schedule=config, clip_frames=12), predict=predict)


@pytest.mark.parametrize("config", [PAPER, DEMO], ids=["epsilon", "v-zero-snr"])
@pytest.mark.parametrize("steps", [1, 4, 7, 12])
@pytest.mark.parametrize("name", sorted({*SOLVERS} - {"ddim-diffusers"}))  # that one leaves noise
def test_every_solver_finds_the_clean_latents_of_a_perfect_predictor(name, steps, config):
    clean, seen = randn(0), []
    result = Solver(perfect(config, clean), name, steps, 1.0, seen.append)(randn(1), None)
    assert (result - clean).abs().max() < (TOLERANCE[name] if steps > 1 else TOLERANCE_AT_ONE_STEP)
    assert [(step.index, step.total) for step in seen] == [(k + 1, steps) for k in range(steps)]
    assert max((step.estimate - clean).abs().max() for step in seen) < 2e-3


@pytest.mark.parametrize("steps", [4, 12, 40])
@pytest.mark.parametrize("config", [PAPER, DEMO], ids=["epsilon", "v-zero-snr"])
def test_ddim_is_that_of_the_paper(config, steps):
    """x_s = sqrt(a_s) x_0 + sqrt(1 - a_s) e (arXiv 2010.02502 eq. 12 without noise), at trailing
    timesteps."""
    alphas = torch.cat([alphas_cumprod(config), torch.ones(1, dtype=torch.float64)])  # index -1: clean
    timesteps = (torch.arange(TRAIN_STEPS, 0, -TRAIN_STEPS / steps, dtype=torch.float64).round() - 1).long()
    x = noise = randn(1).double()
    for t, s in zip(timesteps, [*timesteps[1:], -1], strict=True):
        prediction = (0.3 * x).sin()
        clean = clean_estimate(x, prediction, alphas[t], config)
        x = add_noise(clean, (x - alphas[t].sqrt() * clean) / (1 - alphas[t]).sqrt(), alphas[s])
    model = SimpleNamespace(config=SimpleNamespace(schedule=config), predict=lambda x, t, c: (0.3 * x).sin())
    found = Solver(model, "ddim", steps, 1.0)(noise.float(), None)
    assert (found - x).abs().max() < 3e-3 * x.abs().max()


@pytest.mark.parametrize("steps", [1, 4, 22])
@pytest.mark.parametrize("config", [PAPER, DEMO], ids=["epsilon", "v-zero-snr"])
def test_ddim_is_diffusers_dpm_solver_of_the_first_order(config, steps):
    theirs = diffusers.DPMSolverMultistepScheduler(
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        beta_schedule=config.beta_schedule,
        prediction_type=config.prediction,
        rescale_betas_zero_snr=config.zero_terminal_snr,
        timestep_spacing="trailing",
        solver_order=1,
    )
    ours = build_scheduler("ddim", config)
    found, expected = randn(1), randn(1)
    for scheduler in (ours, theirs):
        scheduler.set_timesteps(steps)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    for t in ours.timesteps:
        found = ours.step((0.3 * found).sin(), t, found, return_dict=False)[0]
        expected = theirs.step((0.3 * expected).sin(), t, expected, return_dict=False)[0]
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_guidance_moves_away_from_the_unconditional_prediction():
    class Conditions:
        few = False

        def __init__(self, value: float):
            self.value = value

        def uncond(self) -> "Conditions":
            return Conditions(0.0)

    def predict(x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        return torch.full_like(x, conditions.value)

    model, x = SimpleNamespace(config=SimpleNamespace(schedule=PAPER), predict=predict), randn(0)
    for cfg, expected in ((0.0, 0.0), (1.0, 2.0), (3.5, 7.0)):
        assert (Solver(model).guided(cfg, torch.zeros(1), x, Conditions(2.0)) == expected).all()


def test_half_precision_costs_no_more_than_the_result_rounded():
    clean = randn(0)
    for name in SOLVERS:
        found = Solver(perfect(DEMO, clean), name, 12, 1.0)(randn(1).bfloat16(), None)
        assert found.dtype == torch.bfloat16
        assert (found.float() - clean).abs().max() < 0.02 * clean.abs().max()


def test_an_exception_from_the_callback_stops_at_that_step():
    def stop(step: Step) -> None:
        if step.index == 2:
            raise KeyboardInterrupt

    calls, model = [], perfect(DEMO, randn(0))
    counted = SimpleNamespace(config=model.config, predict=lambda *a: calls.append(1) or model.predict(*a))
    with pytest.raises(KeyboardInterrupt):
        Solver(counted, steps=6, cfg=1.0, on_step=stop)(randn(1), None)
    assert len(calls) == 2


def test_unknown_solvers_and_step_counts_are_refused():
    with pytest.raises(ValueError, match=r"'heun' is none of ddim, ddim-diffusers, dpm\+\+2m, unipc"):
        build_scheduler("heun", PAPER)
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        Solver(perfect(PAPER, randn(0)), steps=0)


def test_a_levels_table_does_not_pass_between_fake_and_real_tensors():
    config, steps = ScheduleConfig(beta_end=0.0121), torch.tensor([10, 500])  # that no other test has cached
    alphas_cumprod(config)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert isinstance(alpha_bar_at(torch.tensor([10, 500]), config), FakeTensor)
    levels = alpha_bar_at(steps, config)
    assert type(levels) is Tensor
    torch.testing.assert_close(levels.flatten(), alphas_cumprod(config)[steps].float())


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_implied_prediction_is_the_inverse_of_the_clean_estimate(prediction):
    generator = torch.Generator().manual_seed(4)
    clean, noisy = torch.randn(2, 4, 1, 3, 3, generator=generator)
    schedule = replace(ScheduleConfig(), prediction=prediction)
    alpha_bar = alpha_bar_at(torch.tensor([10, 300, 600, 990]), schedule)
    back = clean_estimate(noisy, implied_prediction(clean, noisy, alpha_bar, schedule), alpha_bar, schedule)
    torch.testing.assert_close(back, clean, atol=1e-3, rtol=1e-3)


def test_fractional_timesteps_lie_between_their_neighbours():
    schedule = ScheduleConfig()
    table = alphas_cumprod(schedule)
    values = alpha_bar_at(torch.tensor([5.0, 5.25, 999.0]), schedule).flatten().double()
    expected = torch.stack([table[5], 0.75 * table[5] + 0.25 * table[6], table[999]])
    torch.testing.assert_close(values, expected, atol=1e-6, rtol=1e-6)
