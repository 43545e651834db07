"""DeepCache: a step that reads deep features computes the outermost layers alone, as a whole pass does."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from emo_modules.config import EMOConfig
from emo_modules.cost.memory import deep_cache_bytes
from emo_modules.models.conditions import Conditions
from emo_modules.models.deep_cache import DeepCache, DeepFeatures, check_deep_cache
from emo_modules.models.emo import EMO
from emo_modules.quirks import WindowConfig

from ..relatives import NAMES, Scene, random_emo, small

PLACES, FRAMES = 8 * 8, 3


def in_layers(config: EMOConfig, count: int) -> EMOConfig:
    backbone, net = (replace(u, layers_per_block=count) for u in (config.backbone, config.reference_net))
    return replace(config, backbone=backbone, reference_net=net)


CONFIGS = [*(small(name) for name in NAMES), in_layers(small("hallo"), 2)]


@pytest.fixture(params=CONFIGS, ids=lambda config: f"{config.name}-{config.backbone.layers_per_block}")
def model(request) -> EMO:
    return random_emo(request.param)


@pytest.fixture
def scene(model) -> Scene:
    return Scene.random(model.config)


@pytest.fixture
def cache() -> DeepCache:
    return DeepCache(2)


@pytest.fixture
def cached(model, scene, cache) -> Conditions:
    return scene.conditions(model).keeping_deep(cache)


def predicted(model: EMO, conditions: Conditions, x: Tensor, cache: DeepCache | None = None) -> Tensor:
    if cache is not None:
        cache.begin_step()
    return model.predict(x, torch.full((len(x),), 400), conditions)


def test_the_same_noise_gives_the_same_answer(model, scene, cache, cached):
    whole = predicted(model, cached, scene.noise, cache)
    again = predicted(model, cached, scene.noise, cache)
    assert torch.equal(whole, scene.predict(model))
    assert torch.equal(again, whole)


def test_other_noise_is_seen_by_the_outermost_layers_alone(model, scene, cache, cached):
    predicted(model, cached, scene.noise, cache)
    other = scene.noise.flip(-1)
    deep = cache.cond.kept.clone()
    near = predicted(model, cached, other, cache)
    assert torch.equal(cache.cond.kept, deep)
    assert (near - predicted(model, scene.conditions(model), other)).abs().max() > 1e-4
    assert (near - scene.predict(model)).abs().max() > 1e-3


def test_the_deep_layers_are_not_run(model, scene, cache, cached):
    def operations() -> int:
        with FlopCounterMode(display=False) as counter:
            predicted(model, cached, scene.noise, cache)
        return counter.get_total_flops()

    whole, near, third = operations(), operations(), operations()
    assert third == whole
    assert 0 < near < 0.8 * whole  # widths of 16 to 32: at SD 1.5's it is a quarter


def test_guidances_halves_keep_their_own(model, scene, cache, cached):
    cond = predicted(model, cached, scene.noise, cache)
    uncond = predicted(model, cached.uncond(), scene.noise)
    assert not torch.equal(cache.cond.kept, cache.uncond.kept)
    assert torch.equal(predicted(model, cached, scene.noise, cache), cond)
    assert torch.equal(predicted(model, cached.uncond(), scene.noise), uncond)
    assert torch.equal(uncond, predicted(model, scene.conditions(model).uncond(), scene.noise))


def test_what_is_kept_is_as_large_as_the_estimate_says(model, scene, cache, cached):
    for half in (cached, cached.uncond()):
        predicted(model, half, scene.noise)
    kept = cache.cond.kept.nbytes + cache.uncond.kept.nbytes
    assert kept == deep_cache_bytes(model.config, FRAMES, 8, 8, torch.float32)


def test_features_of_one_half_are_not_read_for_a_batch_of_both():
    one, both = torch.zeros(FRAMES, 2, 4, 4), torch.zeros(2 * FRAMES, 2, 4, 4)
    assert DeepFeatures(one).of(one) is one
    assert DeepFeatures(one).of(both) is DeepFeatures(both).of(one) is DeepFeatures().of(one) is None


@pytest.mark.parametrize(("interval", "made"), [(1, "111111"), (2, "101010"), (3, "100100")])
def test_an_interval_says_which_steps_make_the_features_anew(interval, made):
    cache, found = DeepCache(interval), ""
    for _ in range(6):
        cache.begin_step()
        found += "1" if cache.cond.kept is None else "0"
        assert (cache.cond.kept is None) == (cache.uncond.kept is None)
        cache.cond.kept = cache.uncond.kept = torch.zeros(1)
    assert found == made


@pytest.mark.parametrize("interval", [0, -1, 4])
def test_an_interval_that_cannot_be_is_refused(interval):
    with pytest.raises(ValueError, match=rf"second \(2\) or third one \(3\), got {interval}"):
        check_deep_cache(interval)


def test_windows_are_refused(small_config):
    windows = replace(small_config.quirks, windows=WindowConfig(3, 1))
    together = replace(small_config, motion_frames=0, quirks=windows)
    check_deep_cache(1, together)
    check_deep_cache(3, small_config)
    with pytest.raises(ValueError, match="small takes each step over the whole video.*leave it at 1"):
        check_deep_cache(2, together)


@pytest.mark.parametrize("size", [(8, 11), (9, 7)])
def test_sizes_that_do_not_halve(size):
    model = random_emo(small("hallo"))
    scene, cache = Scene.random(model.config, size=size), DeepCache(2)
    conditions = scene.conditions(model).keeping_deep(cache)
    whole = predicted(model, conditions, scene.noise, cache)
    assert torch.equal(predicted(model, conditions, scene.noise, cache), whole)


@pytest.mark.slow
def test_compiled_there_are_two_graphs_however_many_steps(small_config):
    model, graphs = EMO(small_config).eval(), []
    scene, cache = Scene.random(small_config), DeepCache(3)

    def count(graph: torch.fx.GraphModule, _: list[Tensor]):
        graphs.append(graph)
        return graph.forward

    model.backbone.compile(backend=count)
    conditions = scene.conditions(model).keeping_deep(cache)
    answers = [predicted(model, conditions, scene.noise, cache) for _ in range(7)]
    assert len(graphs) == 2
    assert all(torch.allclose(answer, answers[0], atol=1e-5) for answer in answers)
