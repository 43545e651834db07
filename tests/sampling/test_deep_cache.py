"""DeepCache over the steps of clips: what it changes, and that nothing is left of it in the next clip."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.models.conditions import Conditions
from emo_modules.models.deep_cache import DeepCache
from emo_modules.models.unet import UNet
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_modules.sampling.clips import clip_count
from emo_modules.sampling.solver import Cancelled, Solver
from emo_modules.schedule import SOLVERS

from ..relatives import Scene, random_emo, small

OPTIONS = Options(box=Box(20, 16, 50, 52), steps=6, cfg=2.0)


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def hallo() -> tuple[Solver, Scene]:
    model = random_emo(small("hallo"))
    return Solver(model, "ddim", 6, 2.0, deep_cache=2), Scene.random(model.config)


@pytest.fixture
def mid_blocks(monkeypatch) -> list[int]:
    """Grows with every pass through the deepest layer of hallo's Backbone."""
    return counted(random_emo(small("hallo")).backbone, monkeypatch)


def counted(backbone: UNet, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    forward, passes = backbone.mid_block.forward, []
    monkeypatch.setattr(backbone.mid_block, "forward", lambda *given: passes.append(1) or forward(*given))
    return passes


def rendered(pipeline: Pipeline, portrait: Tensor, sound: Tensor, **changes) -> Tensor:
    options = replace(OPTIONS, **changes)
    prepared, audio = Prepared.from_portrait(portrait, options, pipeline.config), Audio(sound)
    return torch.cat(list(pipeline.latents(prepared, audio, audio.frame_count(25), options)))


def test_off_changes_no_bit(hallo):
    solver, scene = hallo
    conditions = scene.conditions(solver.model)
    off = replace(solver, deep_cache=1)(scene.noise, conditions)
    assert torch.equal(off, Solver(solver.model, "ddim", 6, 2.0)(scene.noise, conditions))
    assert not torch.equal(off, solver(scene.noise, conditions))


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({}, 6),  # three of six steps, in both halves
        ({"deep_cache": 3}, 4),
        ({"deep_cache": 1}, 12),
        ({"cfg": 1.0}, 3),
        ({"steps": 5}, 6),
        ({"guided_steps": (0.0, 0.5)}, 5),  # steps 0, 2 and 4; guided ones 0 and 2
        ({"guided_steps": (0.5, 1.0)}, 5),  # guidance begins at step 3, and makes its features there
    ],
    ids=str,
)
def test_the_deep_layers_are_run_so_often(hallo, mid_blocks, changed, passes):
    solver, scene = hallo
    replace(solver, **changed)(scene.noise, scene.conditions(solver.model))
    assert len(mid_blocks) == passes


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_stays_near_its_own_answer(hallo, name):
    """Nearer than its answer to other noise, for these random weights."""
    solver, scene = hallo
    conditions = scene.conditions(solver.model)
    solver = replace(solver, name=name, steps=4)
    near, exact = solver(scene.noise, conditions), replace(solver, deep_cache=1)(scene.noise, conditions)
    other = replace(solver, deep_cache=1, seed=7)(scene.noise.flip(0), conditions)
    assert 0 < (near - exact).norm() < 0.5 * (other - exact).norm()


def test_nothing_of_a_clip_is_left_for_the_next(hallo):
    """Another clip, another video and the same once more are as if they were alone."""
    solver, scene = hallo
    first = scene.conditions(solver.model)
    mirrored = replace(scene, portrait=scene.portrait.flip(-1), audio=scene.audio.flip(1))
    other = mirrored.conditions(solver.model)
    alone = solver(scene.noise, other)
    one = solver(scene.noise, first)
    assert torch.equal(solver(scene.noise, other), alone)
    assert torch.equal(solver(scene.noise, first), one)
    assert first.deep is None


def test_a_cancelled_clip_leaves_no_memory_behind(hallo):
    solver, scene = hallo
    conditions, kept = scene.conditions(solver.model), []
    keeping = Conditions.keeping_deep

    def watched(self: Conditions, cache: DeepCache) -> Conditions:
        kept.append(weakref.ref(cache.cond))
        return keeping(self, cache)

    def cancel(step) -> None:
        assert kept[0]().kept is not None
        if step.index == 3:
            raise Cancelled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Conditions, "keeping_deep", watched)
        with pytest.raises(Cancelled):
            replace(solver, on_step=cancel)(scene.noise, conditions)
    gc.collect()
    assert kept[0]() is None
    assert solver(scene.noise, conditions).isfinite().all()


def test_a_video_of_several_clips_stays_near(tiny_pipeline, portrait, tones):
    sound = tones(0.4, 16000)
    exact, second, third, again = (
        rendered(tiny_pipeline, portrait, sound, deep_cache=interval) for interval in (1, 2, 3, 2)
    )
    assert clip_count(len(exact), tiny_pipeline.config) == 3
    assert torch.equal(second, again)
    assert 0 < (second - exact).norm() < (third - exact).norm() < 0.5 * exact.norm()


def test_a_model_that_moves_the_portrait_takes_it_too(
    make_pipeline, moving_config, portrait, tones, monkeypatch
):
    pipeline = make_pipeline(moving_config)
    passes = counted(pipeline.model.backbone, monkeypatch)
    latents = rendered(pipeline, portrait, tones(0.1, 16000), deep_cache=3)
    assert latents.isfinite().all()
    assert len(passes) == 4


def test_of_one_step_nothing_changes_and_that_is_said(tiny_pipeline, portrait, tones, caplog):
    sound = tones(0.1, 16000)
    exact = rendered(tiny_pipeline, portrait, sound, steps=1)
    assert "DeepCache" not in caplog.text
    assert torch.equal(rendered(tiny_pipeline, portrait, sound, steps=1, deep_cache=2), exact)
    assert "a clip takes one step, and DeepCache does nothing" in caplog.text


@pytest.mark.parametrize("interval", [0, 4])
def test_an_interval_that_cannot_be_is_refused_before_anything_is_computed(
    tiny_pipeline, portrait, tones, interval
):
    with pytest.raises(ValueError, match="DeepCache computes the deep layers at every step"):
        rendered(tiny_pipeline, portrait, tones(0.1, 16000), deep_cache=interval)


def test_windows_are_refused():
    with pytest.raises(ValueError, match="v-express takes each step over the whole video"):
        Solver(random_emo(small("v_express")), deep_cache=2)
