"""The demo's parametrisation: the Backbone gives the change from the portrait's latent."""

from dataclasses import replace

import pytest
import torch

from emo_modules.config import ScheduleConfig
from emo_modules.models.emo import EMO
from emo_modules.schedule import alpha_bar_at, alphas_cumprod, clean_estimate, implied_prediction


@pytest.fixture(scope="module")
def model(demo_config) -> EMO:
    torch.manual_seed(0)
    return EMO(demo_config).eval()


def conditions(model: EMO, portrait: torch.Tensor, frames: int = 3):
    conditioner = model.conditioner()
    video = conditioner.video(portrait, torch.ones(1, 1, 128, 128))
    audio = torch.randn(1, frames, 5, 3, 96, generator=torch.Generator().manual_seed(1))
    return conditioner.clip(video, frames, audio, torch.full((1, frames), 10.0))


@torch.no_grad()
@pytest.mark.parametrize("timestep", [999, 499, 20])
def test_a_new_model_shows_the_portrait_whatever_the_noise(model, timestep):
    generator = torch.Generator().manual_seed(2)
    portrait = torch.randn(1, 8, 16, 16, generator=generator)
    noisy = torch.randn(3, 8, 16, 16, generator=generator)
    timesteps = torch.full((3,), timestep)
    prediction = model.predict(noisy, timesteps, conditions(model, portrait))
    schedule = model.config.schedule
    estimate = clean_estimate(noisy, prediction, alpha_bar_at(timesteps, schedule), schedule)
    torch.testing.assert_close(estimate, portrait.expand(3, -1, -1, -1), atol=2e-5, rtol=1e-5)


@torch.no_grad()
def test_guidance_drops_the_anchor_with_the_portrait(model):
    portrait = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(3))
    noisy, timesteps = torch.zeros(3, 8, 16, 16), torch.full((3,), 999)
    without = conditions(model, portrait).uncond()
    assert model.predict(noisy, timesteps, without).abs().max() < 1e-6


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
