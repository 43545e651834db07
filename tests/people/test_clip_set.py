"""Clips in memory: what is drawn of them stays true, mirrored and recoloured, and what is learned from it."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from emo_modules.models.moving import Drawing, Painting, move
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.schedule import alphas_cumprod
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_people.filming.clip_files import Clip
from emo_people.filming.clips import FRAMES, MARGIN, SIDE
from emo_people.recipe import clip_set
from emo_people.recipe.built_in import (
    BuiltInRecipe,
    BuiltInTraining,
    amplify_hearing,
    build_model,
    recipe_for,
)
from emo_people.recipe.clip_set import ClipSet, draw_windows, heard
from emo_people.recipe.config import BUILT_IN
from emo_people.recipe.critic import Critic
from emo_people.recipe.objective import (
    MovingLoss,
    MovingObjective,
    covered,
)
from emo_training.training.features import feature_boxes, feature_crops, windows
from emo_training.training.losses import LossConfig, add_training_noise
from emo_training.training.sample_set import Draw
from emo_training.training.stages import part_of
from emo_training.training.state import saved_weights

SHAPE = {"block_out_channels": (16, 16), "attention_levels": (True, True), "heads": 2, "norm_groups": 8}
CONFIG = replace(
    BUILT_IN,
    backbone=replace(BUILT_IN.backbone, **SHAPE),
    reference_net=replace(BUILT_IN.reference_net, **SHAPE),
)
CPU = torch.device("cpu")


def random_clip(seed: int, start: int) -> Clip:
    """Soft colours that move, the right of the picture more than the left."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.uniform(0.3, 0.7, (1, 3, 16, 16)))
    portrait = functional.interpolate(small, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    field = np.linspace(0.2, 1.8, 64)[:, None] * rng.uniform(-6, 6, (FRAMES, 1, 1, 2))
    field = np.broadcast_to(field, (FRAMES, 64, 64, 2)).astype(np.float32)
    frames = move(portrait.float(), torch.from_numpy(field).float().movedim(-1, 1) / SIDE)
    pictures = torch.cat([portrait.float(), frames]).mul(255).round().byte().movedim(1, -1)
    points = rng.uniform(80, 176, (FRAMES + 1, 68, 2))
    return Clip(
        pictures=pictures.numpy(),
        displacement=field.astype(np.float32),
        hidden=np.zeros((FRAMES, 32, 32), np.uint8),
        boxes=np.tile(np.array([60, 70, 180, 200], np.float32), (FRAMES + 1, 1)),
        landmarks=points.astype(np.float32),
        curves=rng.uniform(0, 1, (FRAMES, 8)).astype(np.float32),
        turned=rng.standard_normal((FRAMES, 3)).astype(np.float32),
        lids=np.zeros(FRAMES, np.float32),
        waveform=rng.standard_normal((FRAMES + 2 * MARGIN) * 640).astype(np.float16),
        phonemes=np.zeros((FRAMES + 2 * MARGIN) * 2, np.int16),
        head_speed=np.array(10.0, np.float32),
        start=np.array(start),
        seed=np.array(seed),
    )


@pytest.fixture(scope="module")
def encoder() -> AudioEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AudioEncoder(CONFIG.audio.encoder, CONFIG.audio.normalize).eval()


@pytest.fixture(scope="module")
def clips(encoder) -> ClipSet:
    made = ClipSet(CONFIG, 3, CPU)
    made.add([random_clip(k, start=0 if k == 0 else 7) for k in range(4)], encoder)
    return made


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        components = {"patch_in.weight": 0.05 * torch.randn(24, 3, 8, 8), "patch_in.bias": torch.zeros(24)}
    return build_model(CONFIG, components)


def draw(clips: ClipSet, model, batch: int = 6, seed: int = 0, **options):
    generator = torch.Generator().manual_seed(seed)
    return clips.draw(Draw(batch, **options), model.portrait_encoder, generator)


def test_a_set_takes_what_it_has_room_for(clips):
    assert len(clips) == 3


def test_displacements_hold_in_mirrored_and_recoloured_clips(clips, model):
    batch = draw(clips, model, batch=8)
    moved = move(batch.pixels, batch.displacement.flatten(0, 1)).unflatten(0, batch.pictures.shape[:2])
    inside = (..., slice(16, -16), slice(16, -16))
    assert (moved - batch.pictures)[inside].abs().mean() < 0.01
    unmoved = batch.pixels[:, None].expand_as(batch.pictures)
    assert (unmoved - batch.pictures)[inside].abs().mean() > 0.03


def test_some_clips_lose_their_colours_and_keep_what_they_show(clips, model, monkeypatch):
    coloured = draw(clips, model, batch=4)
    monkeypatch.setattr(clip_set, "GREY", 1.0)
    monkeypatch.setattr(clip_set, "GAIN", 0.0)
    grey = draw(clips, model, batch=4)
    for picture in (grey.pixels, grey.pictures.flatten(0, 1)):
        assert (picture - picture[:, :1]).abs().max() < 1e-5
    assert (coloured.pixels - coloured.pixels[:, :1]).abs().mean() > 0.05
    same = torch.stack([grey.pixels[0, 0].flatten(), coloured.pixels[0, 1].flatten()])
    assert torch.corrcoef(same)[0, 1] > 0.7


def test_latents_are_those_of_the_pictures(clips, model):
    batch = draw(clips, model)
    with torch.no_grad():
        encoded = model.portrait_encoder(batch.pictures.flatten(0, 1))
    torch.testing.assert_close(batch.latents.flatten(0, 1), encoded)


def test_what_is_heard_gets_more_weight_and_nothing_else_changes(model):
    model = copy.deepcopy(model)  # in which nothing is zero, as nothing is after training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
    louder = copy.deepcopy(model)
    amplify_hearing(louder, 2.0)
    block = "backbone.mid_block.attentions.0.transformer_blocks.0"
    before, after = (one.get_submodule(f"{block}.attn_audio") for one in (model, louder))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, before.to_q.in_features, generator=generator)
    sound = torch.randn(2, 3, before.to_k.in_features, generator=generator)
    with torch.no_grad():
        heard = [attention(x, attention.keys_values(sound)) for attention in (before, after)]
    torch.testing.assert_close(heard[1], 2 * heard[0])
    changed = {
        part_of(name)
        for (name, a), b in zip(model.named_parameters(), louder.parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert changed == {"audio"}


def test_nothing_is_known_of_a_past_only_where_a_performance_begins():
    begins = torch.tensor([True] * 50 + [False] * 50)
    places, first = draw_windows(begins, Draw(100), torch.Generator().manual_seed(0))
    assert not first[50:].any()
    assert 5 < first[:50].sum() < 35
    assert (places[first][:, 4] == 0).all()
    assert places[~first].min() >= 0
    assert places.max() < FRAMES


def test_before_a_performance_its_first_frame_is_heard(encoder):
    waveform = torch.from_numpy(random_clip(5, 0).waveform).float()
    with torch.no_grad():
        rows = heard(waveform.expand(2, -1), torch.tensor([True, False]), encoder, CONFIG)
    context = CONFIG.audio.context
    assert rows.shape[1] == FRAMES + 2 * context
    assert (rows[0, :context] == rows[0, context]).all()
    assert (rows[1, :context] - rows[1, context]).abs().max() > 1e-3
    torch.testing.assert_close(rows[0, context:], rows[1, context:])


def noised(clips: ClipSet, model):
    generator = torch.Generator().manual_seed(1)
    batch = draw(clips, model, batch=2)
    objective = MovingObjective(CONFIG, MovingLoss(), clips=True, speed=True)
    alphas = alphas_cumprod(CONFIG.schedule)
    return objective, add_training_noise(batch, CONFIG.schedule, alphas, LossConfig(), generator)


def test_the_truth_costs_nothing_and_the_portrait_something(clips, model):
    objective, given = noised(clips, model)
    batch = given.batch
    latents, truth = batch.latents.flatten(0, 1), batch.displacement.flatten(0, 1)
    sure = torch.full((len(truth), 1, 32, 32), -20.0)
    batch = replace(batch, hidden=torch.zeros_like(batch.hidden))

    def drawing(truth: Tensor, hidden: Tensor, latents: Tensor) -> Drawing:
        painting = Painting(latents, latents, hidden, hidden)
        return Drawing(truth, hidden, latents, painting, latents, hidden)

    right = objective.told(drawing(truth, sure, latents), batch)
    assert {name: round(float(part), 3) for name, part in right.items()} == dict.fromkeys(right, 0.0)
    wrong = objective.told(drawing(truth * 0, sure * -1, latents * 0), batch)
    assert {name for name, part in wrong.items() if float(part) > 0.01} == set(wrong)


def test_mouths_and_shut_eyes_are_covered_where_they_are_hidden_and_nothing_else_is():
    boxes = torch.tensor([[[40.0, 40, 80, 64], [120, 40, 160, 64], [64, 128, 128, 160]]])
    half = torch.full((1, 1, 32, 32), 0.5)
    open_, shut = torch.tensor([False]), torch.tensor([True])
    mouth, eye = (..., slice(16, 20), slice(8, 16)), (..., slice(5, 8), slice(5, 10))
    cover = covered(boxes, half, open_)
    assert (cover[mouth] == 1).all() and cover.sum() == 4 * 8
    both = covered(boxes, half, shut)
    assert (both[eye] == 1).all() and both.sum() == 4 * 8 + 2 * 3 * 5
    assert covered(boxes, half * 0.3, shut).sum() == 0


def test_motion_frames_can_be_what_the_model_makes_itself(clips, model):
    objective, given = noised(clips, model)
    objective.loss = MovingLoss(own_motion=1.0)
    with torch.no_grad():
        prepared = objective.prepare(partial(objective.forward, model), given, torch.Generator())
    parts = objective.losses(model, prepared)
    told = {"displacement", "strain", "points", "velocity", "hidden", "drawn", "cover", "painted"}
    assert set(parts) == told
    assert all(part.isfinite() for part in parts.values())
    assert (prepared.batch.motion - given.batch.motion).abs().max() > 0.01


def test_eyes_and_mouth_are_cut_out_where_they_are():
    landmarks = torch.zeros(1, 68, 2) + 128
    landmarks[0, 36:42] = torch.tensor([60.0, 90.0]) + torch.linspace(0, 10, 6)[:, None]
    x0, y0, x1, y1 = feature_boxes(landmarks)[0, 0].tolist()
    assert x0 < 62 < 68 < x1
    assert y0 < 92 < 98 < y1
    maps = torch.arange(100.0).view(1, 1, 10, 10)
    torch.testing.assert_close(
        windows(maps, torch.tensor([[3, 2]]), 2)[0, 0], torch.tensor([[23.0, 24], [33, 34]])
    )


def test_half_of_a_windows_error_is_of_what_lies_within_lids_and_lips(clips, model):
    batch = draw(clips, model, batch=2)
    points = torch.zeros(68, 2)
    for part, corner in ((slice(36, 42), 90), (slice(42, 48), 140), (slice(48, 68), 120)):
        points[part] = corner + torch.linspace(0, 1, len(points[part]))[:, None] * torch.tensor([24.0, 10.0])
    batch = replace(batch, landmarks=points.expand_as(batch.landmarks))
    latents = batch.latents.flatten(0, 1)
    pictures, landmarks = batch.pictures.flatten(0, 1), batch.landmarks.flatten(0, 1)
    made, true, weights = feature_crops(
        lambda z: z[:, :3].repeat_interleave(8, 2).repeat_interleave(8, 3), latents, pictures, landmarks
    )
    assert made.shape == true.shape
    assert weights.shape == (len(latents), 1, 64, 64)
    within = weights > 0.5
    share = (weights * within).sum((1, 2, 3)) / weights.sum((1, 2, 3))
    assert within.float().mean() < 0.1
    assert ((share > 0.5) & (share < 0.8)).all()


def test_a_stage_trains_checks_and_shows(clips, model, tmp_path):
    """From a few clips to averaged weights, figures of clips that are held out, and a sheet."""
    torch.manual_seed(0)
    vae = PatchVAE(24, (8, 8, 8), (1, 1, 1), linear=True)
    lines: list[str] = []
    training = BuiltInTraining(tmp_path, clips, clips, vae, model, lines.append)
    plan = BuiltInRecipe().stages[-1]
    config = replace(plan.config, steps=2, precision="no", sampling=Draw(2), warmup=1)
    loss = MovingLoss(own_motion=1.0, pixels=1.0, critic=0.1)
    before = {name: part.clone() for name, part in model.named_parameters()}
    training.run_stage(replace(plan, config=config, loss=loss), minutes=5)
    changed = {name for name, part in model.named_parameters() if not part.equal(before[name])}
    assert changed and all(name.startswith("painter.") for name in changed)
    assert saved_weights(tmp_path / "painter").exists()
    assert "held out {'shown'" in lines[-1]
    with Image.open(tmp_path / "painter" / "sheet.jpg") as sheet:
        assert sheet.size == (7 * SIDE, 2 * len(clips) * SIDE)


def test_a_cpu_takes_smaller_batches_and_a_gpu_repeats_captured_steps():
    cpu, gpu = (recipe_for(torch.device(name)).stages for name in ("cpu", "cuda"))
    for small, large in zip(cpu, gpu, strict=True):
        assert small.config.sampling.batch < large.config.sampling.batch
        assert large.config.graph
        assert not small.config.graph
    assert sum(plan.share for plan in cpu) == pytest.approx(1)


def test_a_critic_learns_to_tell_what_is_made_and_judges_it():
    generator = torch.Generator().manual_seed(0)
    critic = Critic(CPU)
    assert critic.learn() == 0
    losses = []
    for _ in range(30):
        true = torch.rand(8, 3, 32, 32, generator=generator) * 2 - 1
        made = functional.avg_pool2d(true, 5, 1, 2)  # too soft
        critic.fooled(made, true)
        losses.append(critic.learn())
    assert losses[-1] < 0.7 * losses[0]
    asked = made.clone().requires_grad_()
    soft = critic.fooled(asked, true)
    assert float(soft) > float(critic.fooled(true, true))
    soft.backward()
    assert asked.grad is not None
    assert all(part.grad is None for part in critic.net.parameters())


def test_a_critic_learns_nothing_from_crops_that_are_not_finite():
    critic, true = Critic(CPU), torch.rand(2, 3, 32, 32)
    before = {name: value.clone() for name, value in critic.net.named_parameters()}
    critic.fooled(torch.full_like(true, float("nan")), true)
    critic.learn()
    assert all(torch.equal(before[name], value) for name, value in critic.net.named_parameters())
    critic.fooled(true / 2, true)
    critic.learn()
    assert any(not torch.equal(before[name], value) for name, value in critic.net.named_parameters())
