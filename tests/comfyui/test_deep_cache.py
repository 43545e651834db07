"""EMO DeepCache: equal to the library's, with any sampler; nothing is left of it for another clip or run."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from .in_process import Pack
from .releases import random_emo, small
from .test_model_management import leave_offloaded
from .test_relatives import FRAMES, Loaded, Setting, without_pixels

CONFIG = without_pixels(small("hallo"))
# each asks in another way: once a step, twice, at levels in between, as often as it likes, with both halves
SAMPLERS = ["euler", "heun", "dpmpp_sde", "dpm_adaptive", "euler_cfg_pp"]


@pytest.fixture(autouse=True)
def nothing_kept(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that is rendered again is computed again."""
    monkeypatch.setattr(pack.module("nodes.managed.sampling"), "kept_clips", lambda *_: None)


@pytest.fixture(scope="module")
def hallo(pack: Pack) -> Loaded:
    return Loaded.of(pack, Setting.random(CONFIG))


@pytest.fixture(scope="module")
def short(hallo: Loaded) -> Loaded:
    """One clip."""
    return replace(hallo, setting=replace(hallo.setting, frames=8))


def cached(loaded: Loaded, interval: int = 2) -> Loaded:
    (model,) = loaded.pack.run("EMODeepCache", model=loaded.model, interval=interval)
    return replace(loaded, model=model)


@torch.no_grad()
def rendered(loaded: Loaded, **changes: Any) -> Tensor:
    return torch.cat(list(loaded.render(**changes)))


@pytest.fixture
def whole_passes(hallo: Loaded, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every pass through the deepest layer."""
    block, passes = hallo.model.model.diffusion_model.backbone.mid_block, []
    forward = block.forward
    monkeypatch.setattr(block, "forward", lambda *given: passes.append(1) or forward(*given))
    return passes


@pytest.mark.parametrize(("interval", "cfg"), [(2, 2.5), (3, 2.5), (3, 1.0)])
def test_latents_equal_the_library(hallo, interval, cfg):
    """Three clips, so that motion frames count."""
    expected = hallo.setting.latents(random_emo(CONFIG), cfg, 4, 3, interval)
    found = rendered(cached(hallo, interval), cfg=cfg, steps=4) * CONFIG.latent_scale
    assert found.shape == (FRAMES, 4, 8, 8)
    assert (found - expected).abs().max() < 1e-3 * expected.abs().max()
    plain = hallo.setting.latents(random_emo(CONFIG), cfg, 4, 3)
    assert (plain - expected).abs().max() > 1e-2 * expected.abs().max()


def test_off_is_off(hallo, short):
    assert torch.equal(rendered(cached(cached(short), 1)), rendered(short))


@pytest.mark.parametrize("sampler_name", SAMPLERS)
def test_every_kind_of_sampler_takes_it(short, sampler_name, whole_passes):
    """Half of its questions are answered in part; the answer is near, and the same the next time."""
    asked = {"sampler_name": sampler_name, "steps": 3}
    exact = rendered(short, **asked)
    all_passes = len(whole_passes)
    near, again = (rendered(cached(short), **asked) for _ in range(2))
    assert 0 < (near - exact).norm() < 0.7 * exact.norm()
    assert torch.equal(near, again)
    if sampler_name != "dpm_adaptive":  # whose steps follow from its answers
        assert len(whole_passes) - all_passes == 2 * -(-all_passes // 4) * 2


def test_two_videos_in_turns_are_as_if_alone(hallo):
    """Clip by clip, as a server with several samplers in one graph might ask for them."""
    one = cached(hallo)
    other = replace(one, setting=replace(hallo.setting, portrait=hallo.setting.portrait.flip(-1)))
    alone = [rendered(each, steps=3) for each in (one, other)]
    mixed: list[list[Tensor]] = [[], []]
    with torch.no_grad():
        videos: list[Iterator[Tensor]] = [each.render(steps=3) for each in (one, other)]
        for clips in zip(*videos, strict=True):
            for k, clip in enumerate(clips):
                mixed[k].append(clip)
    assert not torch.equal(*alone)
    assert all(torch.equal(torch.cat(clips), whole) for clips, whole in zip(mixed, alone, strict=True))


def test_after_a_cancelled_run_the_next_is_as_ever(short):
    import comfy.model_management

    before = rendered(cached(short), steps=3)

    def cancel(clip: int, step: int, *_: Any) -> None:
        if step == 2:
            comfy.model_management.interrupt_current_processing()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        rendered(cached(short), steps=3, on_step=cancel)
    assert torch.equal(rendered(cached(short), steps=3), before)


def test_a_lora_counts_on_either_side(short):
    state = short.model.model.state_dict()
    changes = {key: (0.5 * weight,) for key, weight in state.items() if key.endswith(".to_q.weight")}

    def with_lora(loaded: Loaded) -> Loaded:
        model = loaded.model.clone()
        assert model.add_patches(changes, 1.0)
        return replace(loaded, model=model)

    before, behind = rendered(cached(with_lora(short))), rendered(with_lora(cached(short)))
    assert torch.equal(before, behind)
    assert (before - rendered(cached(short))).abs().max() > 1e-2


def test_layers_that_stay_offloaded_give_the_same(hallo, short, monkeypatch):
    whole = rendered(cached(short), steps=3)
    leave_offloaded(hallo.model, monkeypatch)
    assert (rendered(cached(short), steps=3) - whole).abs().max() < 1e-4 * whole.abs().max()


def test_comfyui_makes_room_for_what_is_kept(short, monkeypatch):
    import comfy.model_management

    asked: list[tuple[float, float]] = []
    load = comfy.model_management.load_models_gpu

    def recorded(models: Any, memory_required: float = 0, *more: Any, **named: Any) -> Any:
        asked.append((memory_required, named.get("minimum_memory_required") or memory_required))
        return load(models, memory_required, *more, **named)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", recorded)
    rendered(short)
    plain, asked[:] = [*asked], []
    rendered(cached(short))
    kept = short.pack.module("emo_modules.cost.memory").deep_cache_bytes(CONFIG, 16, 8, 8, torch.float32)
    for each in (0, 1):  # to make room for, and the least that weights may leave
        more = [after[each] - before[each] for before, after in zip(plain, asked, strict=True)]
        assert {round(bytes) for bytes in more} - {0} == {round(kept)}


def test_windows_and_other_models_are_refused(pack, scene):
    windows = Loaded.of(pack, Setting.random(small("echomimic")))
    with pytest.raises(ValueError, match="echomimic takes each step over the whole video"):
        cached(windows)
    with pytest.raises(ValueError, match="an EMO model is needed"):
        pack.run("EMODeepCache", model=scene.vae.patcher, interval=2)


def test_one_step_changes_nothing_and_says_so(pack, scene, caplog):
    (model,) = pack.run("EMODeepCache", model=scene.model, interval=3)
    exact = scene.sample(steps=1)
    assert "DeepCache" not in caplog.text
    assert torch.equal(scene.sample(model=model, steps=1), exact)
    assert "a clip takes one step, and DeepCache does nothing" in caplog.text
