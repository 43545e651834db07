"""Any length, clip by clip: what is passed on, what is computed how often, and what follows from the seed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emo_modules.config import AudioConfig, EMOConfig
from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.models.conditions import VideoConditions
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline, Progress
from emo_modules.prepared import Prepared
from emo_modules.sampling.clips import Driving, clip_count, render_clips
from emo_modules.sampling.noise import clip_noise, video_noise
from emo_modules.sampling.solver import Cancelled, Solver
from emo_modules.speech.wav2vec2 import context_windows

FRAMES, CHUNK, PAST = 10, 4, 2  # three clips, of the last one 2 frames; tiny_config has the same
SHAPE = (4, 8, 8)
VIDEO = VideoConditions(torch.zeros(1, *SHAPE), [], [], None)
FACE = Options(box=Box(16, 16, 48, 48))


class Recorder:
    """Stands for the model: remembers what each clip was given."""

    def __init__(self):
        self.config = EMOConfig(clip_frames=CHUNK, motion_frames=PAST, audio=AudioConfig(context=1))
        self.given: list[tuple] = []

    def clip(self, video, frames, audio, speeds, pictures, code, motion) -> None:
        self.given.append((frames, audio, motion, speeds))


def rendered(model: Recorder, noise: Iterator[Tensor]) -> Iterator[Tensor]:
    driving = Driving(torch.randn(FRAMES, 2, 5), torch.arange(FRAMES).float())
    return render_clips(model, VIDEO, driving, FRAMES, lambda noise, *_: noise + 1, noise)


def test_clips_cover_every_frame_and_see_only_the_last_latents_of_the_clip_before():
    model, noise = Recorder(), list(video_noise(FRAMES, CHUNK, SHAPE, 0.0, 0))
    clips = list(rendered(model, iter(noise)))
    assert [len(clip) for clip in clips] == [4, 4, 2]
    assert [given[0] for given in model.given] == [4, 4, 4]  # the last one is rendered whole, then cut
    assert torch.equal(torch.cat(clips), torch.cat(noise)[:FRAMES] + 1)
    motions = [given[2] for given in model.given]
    assert motions[0] is None
    for motion, before in zip(motions[1:], clips[:-1], strict=True):
        assert torch.equal(motion, before[None, -PAST:])


def test_sound_and_speed_of_a_clip_are_cut_from_the_whole():
    model, features = Recorder(), torch.randn(FRAMES, 2, 5)
    driving = Driving(features, torch.arange(FRAMES).float())
    noise = video_noise(FRAMES, CHUNK, SHAPE, 0.0, 0)
    list(render_clips(model, VIDEO, driving, FRAMES, lambda noise, *_: noise, noise))
    windows = torch.cat([given[1] for given in model.given], dim=1)
    rendered = torch.tensor([*range(FRAMES), 10, 11])
    assert torch.equal(windows[0], context_windows(features, model.config, rendered))
    speeds = torch.cat([given[3] for given in model.given], dim=1)
    assert speeds.tolist() == [[*range(FRAMES), 9, 9]]  # beyond the end the last one is held


def test_nothing_is_computed_before_it_is_asked_for():
    model, drawn = Recorder(), []

    def noise() -> Iterator[Tensor]:
        for piece in video_noise(FRAMES, CHUNK, SHAPE, 0.0, 0):
            drawn.append(piece)
            yield piece

    clips = rendered(model, noise())
    assert (len(model.given), len(drawn)) == (0, 0)
    next(clips)
    assert (len(model.given), len(drawn)) == (1, 1)


@pytest.mark.parametrize(("frames", "count"), [(1, 1), (4, 1), (5, 2), (12, 3)])
def test_count_is_that_of_the_noise(frames, count):
    pieces = list(video_noise(frames, CHUNK, SHAPE, 0.3, 0))
    assert len(pieces) == clip_count(frames, EMOConfig(clip_frames=CHUNK)) == count
    assert {len(piece) for piece in pieces} == {CHUNK}


@pytest.mark.parametrize(("frames", "kept"), [(4, 0), (5, 1), (10, 2)])
def test_motion_frames_are_made_for_clips_that_follow_and_no_others(frames, kept):
    """They may cost a way through the VAE."""
    made = []
    driving = Driving(torch.randn(frames, 2, 5), None)
    noise = video_noise(frames, CHUNK, SHAPE, 0.0, 0)

    def keep(motion: Tensor) -> Tensor:
        made.append(len(motion))
        return motion

    clips = render_clips(Recorder(), VIDEO, driving, frames, lambda noise, *_: noise, noise, keep)
    assert sum(map(len, clips)) == frames
    assert made == [PAST] * kept


@pytest.mark.parametrize("frames", [6, 7, 9])
def test_a_shorter_sound_gives_the_beginning_of_the_longer_ones_video(tiny_pipeline, frames):
    """Bit for bit up to the last whole clip, and its clip is as long as the model knows them."""
    asked = []
    predict = tiny_pipeline.model.predict

    def watched(x, *rest):
        asked.append(len(x))
        return predict(x, *rest)

    tiny_pipeline.model.predict = watched
    try:
        whole, short = (performed(tiny_pipeline, count) for count in (12, frames))
    finally:
        del tiny_pipeline.model.predict
    assert set(asked) == {CHUNK}
    first = frames // CHUNK * CHUNK
    assert len(short) == frames
    assert torch.equal(short[:first], whole[:first])
    assert short.isfinite().all()


def performed(pipeline: Pipeline, frames: int) -> Tensor:
    """A video to the first `frames` rows of the same speech features."""
    config = pipeline.config
    rows = torch.randn(
        12, config.audio.layers, config.audio.feature_dim, generator=torch.Generator().manual_seed(3)
    )
    noise = video_noise(frames, CHUNK, SHAPE, 0.0, 0)
    portrait = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        video = pipeline.conditioner.video(portrait, torch.ones(1, 1, 64, 64))
    solver = Solver(pipeline.model, "ddim", 2, 1.0)
    driving = Driving(rows[: frames + 1], None)
    return torch.cat(list(render_clips(pipeline.conditioner, video, driving, frames, solver, noise)))


def latents(pipeline: Pipeline, frames: int = FRAMES, progress=None, **options) -> Iterator[Tensor]:
    chosen = replace(FACE, **options)
    generator = torch.Generator().manual_seed(5)
    prepared = Prepared.from_portrait(torch.rand(64, 64, 3, generator=generator), chosen, pipeline.config)
    audio = Audio(torch.randn(frames * 640, generator=generator))
    return pipeline.latents(prepared, audio, frames, chosen, progress)


def counted(module: nn.Module, monkeypatch) -> list[int]:
    calls: list[int] = []
    forward = module.forward
    monkeypatch.setattr(module, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    return calls


@pytest.mark.parametrize(("cfg", "passes"), [(1.0, 1), (2.0, 2)])
def test_what_is_computed_once_per_video_per_clip_and_per_step(tiny_pipeline, monkeypatch, cfg, passes):
    model, steps, clips = tiny_pipeline.model, 4, 3
    parts = {
        "reference_net": model.reference_net,
        "backbone": model.backbone,
        "face_locator": model.face_locator,
        "audio": model.audio_projection,
        "speed": model.speed_encoder,
    }
    calls = {name: counted(part, monkeypatch) for name, part in parts.items()}
    kinds = ("attn_ref", "attn_audio", "attn_speed")
    keys = {kind: [] for kind in kinds}
    for name, module in model.backbone.named_modules():
        for kind in kinds:
            if name.endswith((f"{kind}.to_k", f"{kind}.to_v")):
                keys[kind].append(counted(module, monkeypatch))
    list(latents(tiny_pipeline, steps=steps, cfg=cfg))
    assert {name: len(found) for name, found in calls.items()} == {
        "reference_net": 1 + (clips - 1),  # the portrait, then the motion frames of every clip but the first
        "backbone": clips * steps * passes,
        "face_locator": 1,
        "audio": clips,
        "speed": clips,
    }
    assert {kind: {len(found) for found in keys[kind]} for kind in kinds} == {
        "attn_ref": {1},
        "attn_audio": {clips},
        "attn_speed": {clips},
    }
    assert {kind: len(found) for kind, found in keys.items()} == {
        "attn_ref": 8,  # keys and values of 4 layers with attention
        "attn_audio": 8,
        "attn_speed": 14,  # of 7 temporal modules
    }


def test_progress_tells_of_every_step_with_the_clips_current_estimate(tiny_pipeline):
    seen: list[Progress] = []
    clips = list(latents(tiny_pipeline, progress=seen.append, steps=3))
    assert [(p.clip, p.step) for p in seen] == [(c, s) for c in (1, 2, 3) for s in (1, 2, 3)]
    assert {(p.clips, p.steps) for p in seen} == {(3, 3)}
    assert [len(p.estimate) for p in seen] == [4] * 9
    assert all(p.estimate.isfinite().all() and p.estimate.shape[1:] == SHAPE for p in seen)
    # zero terminal SNR: nothing but noise goes in, so the last estimate is closest to what comes out
    ends = [(seen[k].estimate - clips[0]).square().mean() for k in range(3)]
    assert ends[2] < 0.1 * ends[0]


def test_cancelling_stops_within_one_step(tiny_pipeline, monkeypatch):
    passes = counted(tiny_pipeline.model.backbone, monkeypatch)

    def cancel(progress: Progress) -> None:
        if (progress.clip, progress.step) == (2, 1):
            raise Cancelled("enough")

    running = latents(tiny_pipeline, progress=cancel, steps=3, cfg=1.0)
    assert len(next(running)) == CHUNK
    with pytest.raises(Cancelled, match="enough"):
        next(running)
    assert len(passes) == 3 + 1
    assert list(running) == []


@pytest.mark.parametrize("solver", ["ddim", "lcm"])
def test_latents_follow_from_the_seed_alone(tiny_pipeline, solver):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one = list(latents(tiny_pipeline, solver=solver, seed=3))
        torch.manual_seed(2)
        two = latents(tiny_pipeline, solver=solver, seed=3)
        for a in one:
            torch.randn(7)
            assert torch.equal(a, next(two))
    other = list(latents(tiny_pipeline, solver=solver, seed=4))
    assert (one[0] - other[0]).abs().max() > 0.1


def test_a_video_of_one_frame(tiny_pipeline):
    (clip,) = latents(tiny_pipeline, frames=1)
    assert clip.shape == (1, *SHAPE)
    assert clip.isfinite().all()
    assert not clip.requires_grad


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_frames_share_the_wanted_part_of_their_noise(shared):
    noise = torch.cat(list(video_noise(6, 3, (4, 40, 40), shared, 1))).flatten(1)
    assert noise.var(1) == pytest.approx(torch.ones(6), abs=0.06)
    correlation = torch.corrcoef(noise)[~torch.eye(6, dtype=bool)]
    assert correlation == pytest.approx(torch.full((30,), shared), abs=0.06)  # across clips too


def test_training_clips_share_noise_within_themselves_only():
    noise = clip_noise(torch.Size((2, 3, 4, 40, 40)), 0.5, torch.Generator().manual_seed(0)).flatten(2)
    correlation = torch.corrcoef(noise.flatten(0, 1))
    within = torch.block_diag(torch.ones(3, 3), torch.ones(3, 3)) * 0.5 + 0.5 * torch.eye(6)
    assert (correlation - within).abs().max() < 0.06


def test_noise_is_the_same_however_lazily_it_is_taken():
    whole = list(video_noise(FRAMES, CHUNK, SHAPE, 0.5, 9))
    lazy = video_noise(FRAMES, CHUNK, SHAPE, 0.5, 9)
    longer = video_noise(100, CHUNK, SHAPE, 0.5, 9)
    for k, piece in enumerate(whole):
        torch.randn(5, generator=torch.Generator().manual_seed(k))
        assert torch.equal(piece, next(lazy))
        assert torch.equal(piece, next(longer))
    assert not torch.equal(whole[0], next(video_noise(FRAMES, CHUNK, SHAPE, 0.5, 10)))
