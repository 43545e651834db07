"""One loop for all stages: it learns, stops in time, goes on exactly, and feeds on what the paper says."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from emo_modules.models.emo import EMO
from emo_modules.schedule import alphas_cumprod
from emo_training.training.graphs import clone_tensors, copy_tensors
from emo_training.training.logs import Board, keep_until
from emo_training.training.loop import Trainer, load_parameters
from emo_training.training.losses import LossConfig, add_training_noise
from emo_training.training.objective import Denoising
from emo_training.training.sample_set import Batch, Draw, SampleSet, draw_batch, draw_places
from emo_training.training.sheets import sheet_draw, sheet_drawer
from emo_training.training.stages import PAPER_STAGES
from emo_training.training.state import saved_weights
from emo_training.training.train_config import TrainConfig

from .runs import trainer, whole_and_in_parts

CLIP = Draw(batch=2, frames=3, motion_frames=2)
PICTURES = Draw(batch=2, frames=3, motion_frames=0)
VARYING = ("seconds", "memory_gb", "clips_per_second", "hours_left")
ALWAYS = {"first_clip": 0.0, "drop_reference": 0.0, "drop_audio": 0.0, "drop_both": 0.0, "whole_region": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


RUN = TrainConfig(
    "video", 4, demo=True, lr=1e-3, warmup=2, ema=0.9, sampling=CLIP, log_every=2,
    loss=LossConfig(motion_noise=0.2, inference_share=0.2),
)  # fmt: skip


def test_a_run_interrupted_and_resumed_equals_one_that_was_not(make_pipeline, tiny_config, samples, tmp_path):
    config = replace(RUN, loss=replace(RUN.loss, own_motion=0.5))
    whole = make_pipeline(tiny_config).model
    progress = trainer(whole, samples, config, tmp_path / "whole").run()
    assert progress.step == 4
    for step, minutes in ((1, 0.0), (2, 0.0), (4, None)):
        model = make_pipeline(tiny_config).model
        if step > 1:
            with torch.no_grad():  # all that counts comes from the folder
                for parameter in model.parameters():
                    parameter.add_(1)
        resumed = trainer(model, samples, replace(config, minutes=minutes), tmp_path / "parts").run()
        assert resumed.step == step
    assert resumed.running == progress.running
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), model.parameters(), strict=True))
    one, two = (load_file(saved_weights(tmp_path / name)) for name in ("whole", "parts"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[name], p) for name, p in whole.named_parameters())
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    without_time = [[json.loads(line) | dict.fromkeys(VARYING, 0) for line in log] for log in logs]
    assert without_time[0] == without_time[1]
    assert [line["step"] for line in without_time[0]] == [2, 4]


def test_the_clock_ends_a_stage_over_all_its_sittings(make_pipeline, tiny_config, samples, tmp_path):
    config = replace(RUN, steps=1000, clock=1e-3 / 60, warmup=0)
    first = trainer(make_pipeline(tiny_config).model, samples, config, tmp_path / "a")
    assert first.run().step == 1
    assert first.pace.rate(1) == 0
    again = trainer(make_pipeline(tiny_config).model, samples, config, tmp_path / "a")
    assert again.run().step == 1


def test_the_rate_rises_then_falls_as_the_papers_does(make_pipeline, tiny_config, samples, tmp_path):
    from diffusers.optimization import get_cosine_schedule_with_warmup

    run = trainer(make_pipeline(tiny_config).model, samples, replace(RUN, steps=9, warmup=3), tmp_path / "b")
    theirs = get_cosine_schedule_with_warmup(torch.optim.SGD([torch.zeros(1)], lr=1.0), 3, 9).lr_lambdas[0]
    assert [run.pace.rate(k) for k in range(9)] == pytest.approx([theirs(k) for k in range(9)])


def test_a_graph_takes_one_batch_for_a_step():
    with pytest.raises(ValueError, match="accumulate 2"):
        replace(RUN, graph=True, accumulate=2)


def test_a_graphs_inputs_are_written_over_one_by_one(samples, tiny_config):
    one, two = (draw_batch(samples, tiny_config, CLIP, generator(seed)) for seed in (0, 1))
    kept = clone_tensors(one)
    copy_tensors(two, kept)
    assert torch.equal(kept.latents, two.latents)
    assert torch.equal(kept.audio, two.audio)
    assert not torch.equal(one.latents, two.latents)


def losses_of(run: Trainer, steps: int) -> list[dict[str, float]]:
    run.folder.mkdir(parents=True)
    batches = run.source.stream(run.microbatches())
    return [{name: float(loss) for name, loss in run.step(batches).items()} for _ in range(steps)]


def test_accumulated_gradients_are_those_of_all_microbatches(make_pipeline, tiny_config, samples, tmp_path):
    """One update from two microbatches moves the weights by the mean of what each alone would ask for."""
    config = replace(RUN, accumulate=2, steps=1)
    run = trainer(make_pipeline(tiny_config).model, samples, config, tmp_path / "a")
    grads: list[list[Tensor]] = []
    for number in (0, 1):
        batch, noise = next(run.source.stream([number]))
        sum(run.objective.losses(run.model, run.add_noise(batch, noise)).values()).backward()
        grads.append([p.grad.clone() if p.grad is not None else torch.zeros_like(p) for _, p in run.named])
        run.optimizer.zero_grad()
    seen = []
    run.optimizer.optimizer.register_step_pre_hook(
        lambda *_: seen.extend(torch.zeros_like(p) if p.grad is None else p.grad + 0 for _, p in run.named)
    )
    run.step(run.source.stream(run.microbatches()))
    means = [(a + b) / 2 for a, b in zip(*grads, strict=True)]
    norm = torch.stack([g.norm() for g in means]).norm()
    assert len(seen) == len(means)
    for got, mean in zip(seen, means, strict=True):
        assert torch.allclose(got, mean / max(norm, 1), atol=1e-6)


def test_recomputing_layers_changes_no_gradient(make_pipeline, tiny_config, samples, tmp_path):
    runs = []
    for recompute in (False, True):
        config = replace(RUN, recompute=recompute, steps=2)
        model = make_pipeline(tiny_config).model
        calls = []
        model.backbone.mid_block.resnets[0].register_forward_hook(lambda *_, calls=calls: calls.append(1))
        runs.append(losses_of(trainer(model, samples, config, tmp_path / str(recompute)), 2))
        assert len(calls) == (4 if recompute else 2)
    for plain, recomputed in zip(*runs, strict=True):
        assert plain == pytest.approx(recomputed, rel=1e-5)


def test_adafactor_without_an_average_learns_and_resumes(make_pipeline, tiny_config, samples, tmp_path):
    config = replace(RUN, optimizer="adafactor", ema=None, lr=1e-2)
    ends = [
        (progress.running, load_file(saved_weights(folder)), run.emo)
        for run, progress, folder in whole_and_in_parts(
            lambda: make_pipeline(tiny_config).model, samples, config, tmp_path
        )
    ]
    (losses, one, model), (others, two, _) = ends
    assert losses == others
    assert all(torch.equal(one[name], p) for name, p in model.named_parameters())
    assert all(torch.equal(one[name], two[name]) for name in one)
    first = make_pipeline(tiny_config).model.backbone.conv_in.weight
    assert not torch.equal(one["backbone.conv_in.weight"], first)


def test_a_log_is_cut_back_to_where_the_run_goes_on(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 25}\n{"step": 50}\n{"step": 75}\n{"ste')
    keep_until(log, 50)
    assert log.read_text() == '{"step": 25}\n{"step": 50}\n'
    keep_until(tmp_path / "none.jsonl", 50)


def test_tensorboard_shows_figures_and_samples(make_pipeline, tiny_config, samples, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model, board = make_pipeline(tiny_config).model, Board(tmp_path)
    batch = draw_batch(samples, tiny_config, sheet_draw(tiny_config, 2), generator())
    sheet = sheet_drawer(make_pipeline(tiny_config).vae, batch, PAPER_STAGES["video"])
    trainer(model, samples, replace(RUN, save_every=2), tmp_path, sheet=sheet, board=board).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("denoise")] == [2, 4]
    logged = [json.loads(line)["denoise"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e.value for e in events.Scalars("denoise")] == pytest.approx(logged)
    shown = events.Images("samples")
    assert [(e.step, e.width, e.height) for e in shown] == [(step, 128, 128) for step in (2, 4)]
    with Image.open(io.BytesIO(shown[0].encoded_image_string)) as gif:
        assert (gif.format, gif.n_frames) == ("GIF", tiny_config.clip_frames)


def test_a_finished_run_is_not_trained_again(make_pipeline, tiny_config, samples, tmp_path):
    config, model = replace(RUN, steps=1), make_pipeline(tiny_config).model
    trainer(model, samples, config, tmp_path).run()
    again = make_pipeline(tiny_config).model
    assert trainer(again, samples, config, tmp_path).run().step == 1
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))


def test_averaged_weights_load_strictly_and_samples_show_them(make_pipeline, tiny_config, samples, tmp_path):
    model, shown = make_pipeline(tiny_config).model, []

    def sheet(model: EMO, path: Path) -> Tensor:
        shown.append((path.name, {name: p.detach().clone() for name, p in model.named_parameters()}))
        return torch.zeros(2, 4, 4, 3, dtype=torch.uint8)

    trainer(model, samples, replace(RUN, save_every=2), tmp_path, sheet=sheet).run()
    assert [name for name, _ in shown] == [f"samples-{step:06d}.png" for step in (2, 4)]
    averaged = load_file(saved_weights(tmp_path))
    assert all(torch.equal(averaged[name], value) for name, value in shown[-1][1].items())
    assert any(not torch.equal(averaged[name], p) for name, p in model.named_parameters())
    load_parameters(model, saved_weights(tmp_path))
    assert all(torch.equal(averaged[name], p) for name, p in model.named_parameters())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "state-000002", "state-000004"]


def test_the_loss_falls(make_pipeline, tiny_config, samples, tmp_path):
    one = samples.part(0, 1)
    config = TrainConfig("video", 25, demo=True, lr=5e-3, warmup=2, sampling=replace(CLIP, batch=4), ema=0.5)
    model = make_pipeline(tiny_config).model
    before = measured_loss(model, one, config)
    trainer(model, one, config, tmp_path).run()
    load_parameters(model, saved_weights(tmp_path))
    assert measured_loss(model, one, config) < 0.75 * before


@torch.no_grad()
def measured_loss(model: EMO, samples: SampleSet, config: TrainConfig) -> float:
    """With the same noise every time."""
    schedule, noise = model.config.schedule, generator(99)
    batch = draw_batch(samples, model.config, replace(config.sampling, batch=16), noise)
    noised = add_training_noise(batch, schedule, alphas_cumprod(schedule), config.loss, noise)
    return float(Denoising(model.config, config.table, config.loss).losses(model, noised)["denoise"])


def test_paper_defaults():
    config = TrainConfig("video", 1)
    assert (config.lr, config.fresh_rate, config.sampling.batch) == (1e-5, 1.0, 4)
    assert (config.sampling.frames, config.sampling.motion_frames) == (12, 4)
    plain = config.loss
    assert plain.inference_share == plain.motion_noise == 0


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_conditions_are_kept_or_dropped_as_told(tiny_config, samples, drop):
    draw = replace(CLIP, **dict.fromkeys(ALWAYS, drop), batch=6)
    batch = draw_batch(samples, tiny_config, draw, generator())
    for kept in (batch.motion_kept, batch.reference_kept, batch.audio_kept):
        assert kept.tolist() == [1 - drop] * 6
    assert batch.mask.shape == (6, 1, 64, 64)
    inside = batch.mask.mean((1, 2, 3))
    assert (inside == 1).all() if drop else ((inside > 0.2) & (inside < 0.5)).all()


def numbered(samples: SampleSet) -> SampleSet:
    """Latents that say which frame of which clip they are, and sound that does so too."""
    count, frames = samples.latents.shape[:2]
    number = 100 * torch.arange(count)[:, None] + torch.arange(frames)
    heard = 100 * torch.arange(count)[:, None] + torch.arange(samples.audio.shape[1]) - 1  # context of 1
    return replace(
        samples,
        latents=number[..., None, None, None].expand_as(samples.latents).float(),
        portraits=(100 * torch.arange(count) + 50)[:, None, None, None, None]
        .expand_as(samples.portraits)
        .float(),
        audio=heard[..., None, None].expand_as(samples.audio).float(),
        speeds=number.float(),
    )


def test_motion_frames_come_before_the_clip_and_everything_is_of_the_same_frames(tiny_config, samples):
    batch = draw_batch(numbered(samples), tiny_config, replace(CLIP, batch=8), generator())
    frames = batch.latents[:, :, 0, 0, 0]
    assert (frames.diff(dim=1) == 1).all()
    assert torch.equal(batch.motion[:, :, 0, 0, 0], frames[:, :1] - torch.tensor([2.0, 1.0]))
    assert torch.equal(batch.audio[:, :, :, 0, 0], frames[:, :, None] + torch.tensor([-1.0, 0.0, 1.0]))
    assert torch.equal(batch.speeds, frames)
    assert len(frames[:, 0].unique()) > 3


def test_references_are_frames_of_the_clip_or_other_pictures_of_the_person(tiny_config, samples):
    for share in (0.0, 1.0):
        draw = replace(CLIP, batch=16, portrait_share=share)
        batch = draw_batch(numbered(samples), tiny_config, draw, generator())
        person, which = batch.latents[:, 0, 0, 0, 0] // 100, batch.reference[:, 0, 0, 0]
        assert torch.equal(which // 100, person)
        assert (which % 100 == 50).all() if share else (which % 100 < 8).all()


def test_pictures_come_from_anywhere_in_a_clip(tiny_config, samples):
    batch = draw_batch(numbered(samples), tiny_config, replace(PICTURES, batch=8), generator())
    frames = batch.latents[:, :, 0, 0, 0]
    assert batch.motion.shape[1] == 0
    assert not (frames.diff(dim=1) == 1).all()
    assert (frames // 100 == frames[:, :1] // 100).all()


def test_clips_that_are_too_short_are_refused(tiny_config, samples):
    needs = r"samples have 8 frames, training needs 9 \(2 motion frames, 6 to train on, and another one"
    with pytest.raises(ValueError, match=needs):
        draw_batch(samples, tiny_config, replace(CLIP, frames=6), generator())
    assert draw_batch(samples, tiny_config, replace(CLIP, frames=5), generator()).latents.shape[1] == 5


@pytest.mark.parametrize("draw", [CLIP, PICTURES, replace(CLIP, frames=5), replace(PICTURES, frames=9)])
def test_the_reference_is_any_frame_but_those_that_are_trained_on(draw):
    """EMO sec. 3.3. Also where a clip has one frame more than it needs, and pictures more than the clip."""
    window, reference = draw_places(8, draw, 4000, generator())
    assert window.shape == (4000, draw.window)
    assert ((window >= 0) & (window < 8)).all()
    assert not (window == reference[:, None]).any()
    missing = [set(range(8)) - set(row) for row in window.unique(dim=0).tolist()]
    assert set(reference.tolist()) == set.union(*missing)


def test_every_frame_outside_the_window_is_as_likely_a_reference():
    window, reference = draw_places(8, CLIP, 20000, generator())
    outside = reference[window[:, 0] == 1]  # the window is frames 1 to 5
    share = outside.bincount(minlength=8) / len(outside)
    assert share == pytest.approx(torch.tensor([1, 0, 0, 0, 0, 0, 1, 1]) / 3, abs=0.03)


def test_face_regions(tiny_config, samples):
    draw = replace(CLIP, **ALWAYS)
    one = replace(samples, boxes=torch.tensor([0.25, 0.25, 0.75, 0.75]).expand_as(samples.boxes))
    batch = draw_batch(one, tiny_config, draw, generator())
    assert torch.equal(batch.mask[0, 0, :, 32].nonzero().flatten(), torch.arange(16, 48))
    assert batch.mask[0].sum() == 32 * 32
    moved = one.boxes.clone()
    moved[:, 1::2, [0, 2]] += 0.125
    union = draw_batch(replace(one, boxes=moved), tiny_config, draw, generator())
    assert union.mask[0].sum() == 32 * 40  # the union over the clip's frames


def test_the_image_stage_leaves_sound_and_time_out(make_pipeline, tiny_config, samples):
    model = make_pipeline(tiny_config).model
    batch: Batch = draw_batch(samples, tiny_config, PICTURES, generator())
    used = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: used.add(name))
    model(batch.latents, torch.full((2, 3), 500), **batch.conditions(clips=False, speed=False))
    assert any("attn_ref" in name for name in used)
    # its bias alone, as when guidance drops the sound: no queries, keys and values
    allowed = re.compile(r"attn_audio(\.to_out.*)?$")
    touched = [name for name in used if any(part in name for part in ("motion_modules", "audio", "speed"))]
    assert all(allowed.search(name) for name in touched)
