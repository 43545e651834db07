"""Held-out losses are the same for the same weights; a run says what it amounts to."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_modules.sampling.noise import clip_noise
from emo_modules.schedule import alphas_cumprod
from emo_training.footage.shards import ShardIndex
from emo_training.training.losses import LossConfig
from emo_training.training.objective import Denoising
from emo_training.training.sample_set import Draw, draw_batch
from emo_training.training.stages import PAPER_STAGES
from emo_training.training.summary import Footage, describe_run
from emo_training.training.train_config import TrainConfig
from emo_training.training.validation import LEVELS, SEED, validation_losses


@pytest.fixture
def batches(samples, tiny_config):
    draw = Draw(1, 3, 2)
    return [draw_batch(samples, tiny_config, draw, torch.Generator().manual_seed(n)) for n in range(2)]


def test_losses_are_the_same_every_time_and_those_of_the_noise_at_each_level(
    make_pipeline, tiny_config, batches
):
    model = make_pipeline(tiny_config).model
    objective = Denoising(tiny_config, PAPER_STAGES["video"], LossConfig())
    first = validation_losses(model, batches, objective)
    assert validation_losses(model, batches, objective) == first
    assert list(first) == ["validation", *(f"validation_{level}" for level in (125, 375, 625, 875))]
    assert first["validation"] == pytest.approx(sum(first[f"validation_{k}"] for k in LEVELS) / len(LEVELS))
    with torch.no_grad():
        model.backbone.conv_out.weight.zero_()
        model.backbone.conv_out.bias.zero_()
    silent = validation_losses(model, batches, objective)
    alpha = alphas_cumprod(tiny_config.schedule)[875].float()
    expected = []
    for number, batch in enumerate(batches):  # the error of saying 0 is the velocity's square
        generator = torch.Generator().manual_seed((SEED * 1_000_003 + number) * 1009)
        noise = clip_noise(batch.latents.shape, tiny_config.schedule.shared_noise, generator)
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * batch.latents
        expected.append(velocity.square().mean())
    assert silent["validation_875"] == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)


def test_a_run_says_what_it_amounts_to(shards: Path):
    footage = Footage.of_entries(ShardIndex.load(shards).entries)
    video = TrainConfig("video", 30_000)
    assert describe_run(video, footage, 534_000_000, 2_216_400_000, 4) == (
        "video: 6 samples, 0.002 hours of 3 people; 534.0 of 2216.4 million parameters train; "
        "30000 updates of 4 see 16 hours, 20000 epochs"
    )
    image = replace(video, stage="image", steps=1, sampling=Draw(48, 1, 0))
    assert describe_run(image, footage, 1, 1, 48).endswith("; 1 update of 48 see 48 pictures, 8 epochs")


def test_encoded_samples_have_no_names_for_their_people(samples):
    assert str(Footage.of_samples(samples)) == "3 samples, 0.000267 hours"
