"""What a model that moves portraits learns of films: faces that were read, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from emo_modules.models.moving import FIELD, Drawing, Painting
from emo_modules.schedule import alphas_cumprod
from emo_training.footage.shards import ShardIndex
from emo_training.perception.rates import FPS
from emo_training.training.features import FACE
from emo_training.training.filmed import FilmedBatch, acted_in
from emo_training.training.filmed_objective import (
    FAR,
    FilmedLoss,
    FilmedObjective,
    landmark_errors,
    moved_by,
    without_lora,
)
from emo_training.training.lora import add_lora
from emo_training.training.losses import LossConfig, add_training_noise
from emo_training.training.motion_codes import TURN
from emo_training.training.sample_set import Draw
from emo_training.training.shard_source import ShardSource
from emo_training.training.stages import PAINTER, Stage
from emo_training.training.train_config import TrainConfig

from ..shards import make_sample, write_shards

SIDE = 64
DRAW = Draw(1, 4, 2, first_clip=0, drop_reference=0, drop_audio=0, drop_both=0, whole_region=0)
STAGE = Stage(("backbone", "temporal", "audio", "audio_projection", PAINTER), clips=True, speed=True)


@pytest.fixture(scope="module")
def pipeline(make_pipeline, moving_config):
    return make_pipeline(moving_config)


@pytest.fixture(scope="module")
def batch(tmp_path_factory, pipeline) -> FilmedBatch:
    index = ShardIndex.load(write_shards(tmp_path_factory.mktemp("shards"), clips=2, landmarks=68))
    parts = (pipeline.vae, pipeline.audio_encoder)
    source = ShardSource(index, pipeline.config, DRAW, 0, *parts, workers=0)
    ((drawn, _),) = source.stream([0])
    assert isinstance(drawn, FilmedBatch)
    return drawn


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def drawing_of(displacement: Tensor) -> Drawing:
    count, size = len(displacement), SIDE // 8
    latents, share = torch.zeros(count, 6, size, size), torch.zeros(count, 1, size, size)
    return Drawing(displacement, share, latents, Painting(latents, latents, share, share), latents, share)


def moved_everywhere(right: float, down: float, count: int) -> Tensor:
    """Displacements of so many px."""
    size = FIELD * SIDE // 8
    return (torch.tensor([right, down]) / SIDE)[None, :, None, None].expand(count, 2, size, size)


def told(batch: FilmedBatch, displacement: Tensor, pipeline) -> dict[str, Tensor]:
    still = drawing_of(torch.zeros_like(displacement))
    objective = FilmedObjective(pipeline.config, STAGE, FilmedLoss(), pipeline.vae)
    return objective.told(drawing_of(displacement), still, batch)


def test_a_batch_has_pictures_faces_and_the_portraits_of_one_time(batch):
    assert batch.pictures.shape == (1, 4, 3, SIDE, SIDE)
    assert batch.pixels.shape == (1, 3, SIDE, SIDE)
    # faces move right by a quarter of a px a frame, in pictures that grow brighter
    torch.testing.assert_close(
        batch.landmarks.diff(dim=1)[..., 0], torch.full((1, 3, 68), 0.25), atol=0.05, rtol=0
    )
    grey = (batch.pictures.mean((2, 3, 4)) + 1) * 127.5
    frames = (grey - 20) / 5 % 6
    assert torch.allclose(frames.diff(dim=1) % 6, torch.ones(1, 3), atol=0.2)
    assert batch.speeds.unique().numel() == 1


def test_a_head_that_turned_and_lids_that_shut_are_in_the_motion_code():
    sample = make_sample(1, landmarks=68)
    turn = np.linspace(0, 8, 30, dtype=np.float32)
    openings = sample.arrays["openings"].copy()
    openings[20, 2:] = 0.0
    arrays = sample.arrays | {
        "rotations": np.stack([turn, 0 * turn, 0 * turn], 1),
        "speeds": np.full(30, 10.0, np.float32),
        "openings": openings,
    }
    sample = replace(sample, arrays=arrays)
    acted = acted_in(sample, torch.arange(16, 24), sample, 4, generator())
    step = turn[1] - turn[0]
    expected = torch.arange(12, 20) * step / TURN[0] / 10.0
    torch.testing.assert_close(acted.code[:, 0], expected, atol=0.3, rtol=0)
    assert acted.code[4, 3] > acted.code[[0, 1, 2, 6, 7], 3].max() + 0.1
    assert acted.speed.tolist() == [10.0] * 8
    assert FPS == 25


def test_samples_without_lids_are_refused():
    sample = make_sample(0)
    with pytest.raises(ValueError, match="has no 68 landmarks and openings of lids.*--analyzer faces"):
        acted_in(sample, torch.arange(4), sample, 0, generator())


def test_displacements_that_lead_to_the_portraits_landmarks_are_right(batch):
    shifted = replace(batch, landmarks=batch.portrait_landmarks[:, None] + torch.tensor([3.0, -2.0]))
    shifted = replace(shifted, landmarks=shifted.landmarks.expand(1, 4, 68, 2))
    off = landmark_errors(drawing_of(moved_everywhere(-3, 2, 4)), shifted)
    assert off.abs().max() < 1e-4


def test_only_lips_and_lids_against_the_nose_are_told(batch, pipeline):
    """A head that is elsewhere than in the film is another performance; a lip that is elsewhere on it is
    wrong."""
    points = batch.portrait_landmarks[:, None].expand(1, 4, 68, 2).clone()
    points[:, :, :17, 0] = torch.linspace(10, 10 + SIDE / 2, 17)  # a face of half the picture
    same = replace(batch, landmarks=points, portrait_landmarks=points[:, 0])
    assert told(same, moved_everywhere(5, 0, 4), pipeline)["points"] < 1e-6
    lips = same.landmarks.clone()
    lips[:, :, 48:] += torch.tensor([0.0, 2.0])
    wrong = told(replace(same, landmarks=lips), moved_everywhere(0, 0, 4), pipeline)["points"]
    large = 2 * FACE / (SIDE / 2)
    expected = FAR * (np.hypot(large, FAR) - FAR) * 20 / 32
    assert float(wrong) == pytest.approx(expected, rel=1e-4)


def test_what_is_not_told_of_stays_as_it_was(batch, pipeline):
    parts = told(batch, moved_everywhere(4, 0, 4), pipeline)
    assert parts["kept"] > 1
    assert parts["strain"] < 1e-6
    parts = told(batch, moved_everywhere(0, 0, 4), pipeline)
    assert max(float(parts[name]) for name in ("kept", "strain", "shares")) < 1e-6


def test_pictures_are_laid_over_each_other():
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, :, 30:34, 40:44] = 1.0
    shifted = moved_by(picture, torch.tensor([[8.0, 4.0]]))
    assert shifted[0, 0, 26:30, 32:36].min() > 0.9
    assert shifted.sum() == pytest.approx(float(picture.sum()), rel=0.01)


def test_lips_learn_and_the_model_without_its_lora_is_what_it_was(batch, make_pipeline, moving_config):
    pytest.importorskip("peft")
    own = make_pipeline(moving_config)
    model, schedule = own.model, moving_config.schedule
    alphas = alphas_cumprod(schedule)
    noised = add_training_noise(
        batch, schedule, alphas, LossConfig(inference_share=1.0, inference_steps=1), generator()
    )
    config = TrainConfig("video", 1, lora=4, lora_layers="all")
    objective = FilmedObjective(moving_config, STAGE, FilmedLoss(), own.vae)
    before = objective.forward(model, noised).displacement.detach()
    trained = [parameter for _, parameter in add_lora(model, STAGE, config)]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    told = []
    for _ in range(12):
        optimizer.zero_grad()
        losses = objective.losses(model, noised)
        told.append(float(losses["points"].detach()))
        sum(losses.values()).backward()
        optimizer.step()
    assert told[-1] < 0.8 * told[0]
    with torch.no_grad():
        assert not torch.allclose(objective.forward(model, noised).displacement, before, atol=1e-5)
        with without_lora(model):
            torch.testing.assert_close(objective.forward(model, noised).displacement, before)
