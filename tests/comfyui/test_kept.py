"""What the names of finished clips follow from, of all that may hang on a MODEL."""

import pytest
import torch

from .test_model_management import with_lora


@pytest.fixture
def name(pack, scene):
    """The name of a video of this model, portrait, place and sampling."""
    kept = pack.module("nodes.managed.kept")
    cues = pack.module("emo_modules.cues.locator").Cues(torch.ones(1, 1, 8, 8), None)

    def of(model=scene.model, reference=scene.reference, cues=cues, sampling=(1, "euler")) -> str:
        return kept.kept_clips(model, reference, cues, sampling).video

    return of


def test_the_same_model_has_the_same_name_however_often_it_is_cloned(scene, name):
    assert name() == name(scene.model.clone())


def test_a_lora_is_known_by_its_weights(scene, name):
    one, again = with_lora(scene), with_lora(scene)
    assert name(one) == name(again) != name()
    weaker = scene.model.clone()
    weaker.add_patches({key: entry[0][1] for key, entry in one.patches.items()}, 0.5)
    assert name(weaker) not in (name(), name(one))


def test_deepcache_and_its_interval_count(scene, name, pack):
    models = [scene.model, *(pack.run("EMODeepCache", model=scene.model, interval=n)[0] for n in (2, 3))]
    assert len({name(model) for model in models}) == 3
    (off,) = pack.run("EMODeepCache", model=models[1], interval=1)
    assert name(off) == name()


def test_code_is_known_as_long_as_it_lives(scene, name):
    def patched(function):
        model = scene.model.clone()
        model.set_model_sampler_cfg_function(function)
        return model

    one, other = (lambda arguments: arguments["cond"]), (lambda arguments: arguments["uncond"])
    assert name(patched(one)) == name(patched(one)) != name()
    assert name(patched(one)) != name(patched(other))


def test_portrait_place_and_sampling_count(scene, name, pack):
    cues = pack.module("emo_modules.cues.locator").Cues(torch.zeros(1, 1, 8, 8), None)
    moved = scene.reference._replace(portrait=scene.reference.portrait + 1e-3)
    names = [name(), name(reference=moved), name(cues=cues), name(sampling=(2, "euler"))]
    assert len(set(names)) == 4
