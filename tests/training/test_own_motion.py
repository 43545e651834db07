"""A share of the clips follows motion frames with the model's own errors in them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig, ScheduleConfig
from emo_modules.schedule import alphas_cumprod, implied_prediction
from emo_training.training.losses import LossConfig, Noised, add_training_noise
from emo_training.training.objective import Denoising
from emo_training.training.own_motion import LEVELS, with_own_motion
from emo_training.training.sample_set import Draw, SampleSet, draw_batch
from emo_training.training.stages import PAPER_STAGES
from emo_training.training.train_config import TrainConfig

DRAW = Draw(32, 3, 2, first_clip=0.25)
SCHEDULES = [ScheduleConfig("v_prediction", zero_terminal_snr=True), ScheduleConfig()]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=SCHEDULES, ids=lambda schedule: schedule.prediction)
def schedule(request) -> ScheduleConfig:
    return request.param


@pytest.fixture
def noised(samples: SampleSet, tiny_config: EMOConfig, schedule: ScheduleConfig) -> Noised:
    batch = draw_batch(samples, tiny_config, DRAW, generator())
    return add_training_noise(batch, schedule, alphas_cumprod(schedule), LossConfig(), generator(1))


def says(error: float, schedule: ScheduleConfig, seen: list[Noised]):
    """A model that is off by so much in every latent of the clip's n-th frame, times n."""

    def forward(noised: Noised) -> Tensor:
        seen.append(noised)
        off = error * torch.arange(1.0, 4.0)[:, None, None, None]
        return implied_prediction(noised.batch.latents + off, noised.noisy, noised.alpha_bar, schedule)

    return forward


def test_what_the_model_gets_wrong_is_added_to_a_share_of_the_motion_frames(noised, schedule):
    seen: list[Noised] = []
    given = with_own_motion(says(0.5, schedule, seen), noised, 0.5, schedule, generator(2))
    added = given.batch.motion - noised.batch.motion
    expected = torch.tensor([0.5, 1.0])[:, None, None, None].expand_as(added[0])
    changed = added.abs().amax((1, 2, 3, 4)) > 0.1
    assert torch.allclose(added[changed], expected.expand_as(added[changed]), atol=1e-3)
    assert torch.equal(given.batch.motion[~changed], noised.batch.motion[~changed])
    kept = noised.batch.motion_kept > 0
    assert not changed[~kept].any()  # before a video's first clip there is none of its own
    assert 0.2 < changed[kept].float().mean() < 0.8
    assert all(LEVELS[0] <= step < LEVELS[1] for step in seen[0].timesteps.flatten().tolist())
    for name in ("noisy", "target", "timesteps"):  # what is learned stays what it was
        assert torch.equal(getattr(given, name), getattr(noised, name))


def test_a_model_without_errors_leaves_the_motion_frames_alone(noised, schedule):
    given = with_own_motion(says(0.0, schedule, []), noised, 1.0, schedule, generator(2))
    assert torch.allclose(given.batch.motion, noised.batch.motion, atol=1e-3)


def test_the_same_microbatch_is_the_same_again(noised, schedule):
    one, two = (
        with_own_motion(says(0.5, schedule, []), noised, 0.5, schedule, generator(2)) for _ in range(2)
    )
    assert torch.equal(one.batch.motion, two.batch.motion)


@pytest.mark.parametrize(
    ("stage", "share", "passes"), [("video", 0.5, 1), ("video", 0.0, 0), ("image", 0.5, 0)]
)
def test_only_stages_with_motion_frames_take_the_pass(noised, tiny_config, schedule, stage, share, passes):
    seen: list[Noised] = []
    config = replace(tiny_config, schedule=schedule)
    objective = Denoising(config, PAPER_STAGES[stage], LossConfig(own_motion=share))
    given = objective.prepare(says(0.5, schedule, seen), noised, generator(2))
    assert len(seen) == passes
    assert (given is noised) == (passes == 0)


def test_a_clip_that_is_shorter_than_its_motion_frames_has_too_few_errors():
    with pytest.raises(ValueError, match="own_motion needs as many frames as motion frames, 4, got 3"):
        TrainConfig("video", 1, sampling=Draw(1, 3, 4), loss=LossConfig(own_motion=0.1))
