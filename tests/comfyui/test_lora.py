"""EMO Load LoRA and core's own loader: equal to the library, on both models or on neither."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from safetensors.torch import load_file

from emo_modules.checkpoints.adapter import AdapterUse
from emo_modules.checkpoints.store import Checkpoint
from emo_modules.models.emo import EMO
from emo_modules.schedule import FewSteps
from emo_people.recipe.config import BUILT_IN

from ..adapters import random_lora
from .releases import random_emo, small
from .test_relatives import Loaded, Setting, without_pixels

EMO_FAMILY = "emo"
STRENGTH = 0.7


@pytest.fixture(scope="module", params=["echomimic", "hallo"])
def base(request, pack) -> Loaded:
    return Loaded.of(pack, Setting.random(without_pixels(small(request.param))))


def installed(base: Loaded, name: str, **options: Any) -> AdapterUse:
    """A LoRA in models/loras."""
    import folder_paths

    folder = Path(folder_paths.get_folder_paths("loras")[0])
    folder.mkdir(parents=True, exist_ok=True)
    return random_lora(folder / name, base.setting.config, **options)


def merged(base: Loaded, use: AdapterUse) -> EMO:
    """The library's."""
    config = base.setting.config
    state = random_emo(config).state_dict()
    model = EMO(config).eval()
    changed = Checkpoint(Path("random"), config, state, {}, "").with_adapters([use])
    changed.load_into(dict(model.named_children()), "cpu", torch.float32)
    return model


def with_lora(base: Loaded, name: str, strength: float = STRENGTH) -> Loaded:
    model, net = base.pack.run(
        "EMOLoadLora", model=base.model, reference_net=base.net, lora_name=name, strength=strength
    )
    return replace(base, model=model, net=net)


@torch.no_grad()
def rendered(base: Loaded) -> torch.Tensor:
    return torch.cat(list(base.render())) * base.setting.config.latent_scale


def test_both_models_change_as_the_library_changes_them(base):
    use = installed(base, "both.safetensors")
    before = rendered(base)
    expected = base.setting.latents(merged(base, replace(use, strength=STRENGTH)), 2.0, 3, 3)
    found = rendered(with_lora(base, "both.safetensors"))
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (found - before).abs().max() > 0.05
    assert torch.equal(rendered(base), before)  # its own models are left as they were


def test_a_lora_is_the_merged_checkpoint(base, pack, monkeypatch):
    use = replace(installed(base, "both.safetensors"), strength=STRENGTH)
    monkeypatch.setattr(f"{Loaded.__module__}.random_emo", lambda config: merged(base, use))
    whole = rendered(Loaded.of(pack, base.setting))
    assert (rendered(with_lora(base, "both.safetensors")) - whole).abs().max() < 1e-4 * whole.abs().max()


def test_referencenets_half_reaches_what_it_reads(base):
    installed(base, "net.safetensors", parts=["reference_net"])
    plain, changed = base.reference(), with_lora(base, "net.safetensors").reference()
    tokens = [(one.tokens, two.tokens) for one, two in zip(plain.written, changed.written, strict=True)]
    assert max((one - two).abs().max() for one, two in tokens if one is not None) > 0.05


def test_cores_loader_takes_what_changes_the_model_alone(base):
    import comfy.sd

    use = installed(base, "model.safetensors", parts=["backbone"])
    model, _ = comfy.sd.load_lora_for_models(base.model, None, load_file(use.path), STRENGTH, 0)
    expected = rendered(with_lora(base, "model.safetensors"))
    assert len(model.patches) == len(load_file(use.path)) // 3
    assert (rendered(replace(base, model=model)) - expected).abs().max() < 1e-5


def through_core(base: Loaded, use: AdapterUse) -> Any:
    """The model as core's Load LoRA changes it. Skips where that drops the metadata, as in ComfyUI 0.3.64."""
    import comfy.sd
    from comfy.utils import load_torch_file

    if "lora_metadata" not in inspect.signature(comfy.sd.load_lora_for_models).parameters:
        pytest.skip("this ComfyUI's LoRA loaders do not hand on metadata")
    weights, metadata = load_torch_file(str(use.path), return_metadata=True)
    return comfy.sd.load_lora_for_models(base.model, None, weights, 1.0, 0, lora_metadata=metadata)[0]


def test_half_a_lora_is_refused(base):
    installed(base, "both.safetensors")
    changed = with_lora(base, "both.safetensors")
    for model, net in ((changed.model, base.net), (base.model, changed.net)):
        with pytest.raises(ValueError, match="connect both outputs of EMO Load LoRA"):
            rendered(replace(base, model=model, net=net))


def test_half_a_lora_through_core_is_refused(base):
    model = through_core(base, installed(base, "both.safetensors"))
    with pytest.raises(ValueError, match="core's LoRA loaders do not reach: use EMO Load LoRA"):
        rendered(replace(base, model=model))


def test_loras_follow_each_other(base):
    installed(base, "both.safetensors")
    twice = with_lora(with_lora(base, "both.safetensors", 0.3), "both.safetensors", 0.4)
    assert (rendered(twice) - rendered(with_lora(base, "both.safetensors", 0.7))).abs().max() < 1e-4


def test_a_lora_of_another_family_changes_nothing(base):
    installed(base, "other.safetensors", family=EMO_FAMILY)
    with pytest.raises(ValueError, match="is a LoRA for the family emo, the model is of"):
        with_lora(base, "other.safetensors")
    assert base.model.patches == base.net.patcher.patches == {}


def test_kept_clips_are_told_apart_by_referencenets_lora(base):
    installed(base, "net.safetensors", parts=["reference_net"])
    kept = base.pack.module("nodes.managed.kept")
    cues = base.pack.module("emo_modules.cues.locator").Cues(torch.ones(1, 1, 8, 8), None)

    def name(strength: float) -> str:
        changed = with_lora(base, "net.safetensors", strength)
        plain = base.reference()._replace(net=changed.net)
        return kept.kept_clips(base.model, plain, cues).video

    assert name(0.5) == name(0.5) != name(0.6)


FEW = FewSteps("lcm", (999, 749, 499, 249))


def test_a_distilled_lora_brings_its_steps_and_its_sampler(base):
    installed(base, "few.safetensors", parts=["backbone"], few_steps=FEW)
    sampling = base.pack.module("nodes.managed.sampling")

    def made(model: Any, steps: int = 0, cfg: float = 0.0, sampler: str = "euler") -> tuple[int, float, str]:
        found = sampling.as_made(model, sampling.Denoising(0, steps, cfg, sampler, "as trained", 1.0))
        assert len(sampling.sigmas_for(model, found)) == found.steps + 1
        return found.steps, found.cfg, found.sampler_name

    model, own = with_lora(base, "few.safetensors").model, base.setting.config.schedule
    assert made(model) == (4, 1.0, "lcm")
    assert made(model, steps=4) == (4, 1.0, "euler")  # whoever says how many says how
    assert made(model, sampler="dpmpp_2m") == (4, 1.0, "dpmpp_2m")
    assert made(model, cfg=2.0) == (4, 2.0, "lcm")
    assert made(with_lora(base, "few.safetensors", 0.0).model) == (own.steps, own.cfg, "euler")
    assert made(base.model) == (own.steps, own.cfg, "euler")


def test_the_estimate_is_of_the_steps_that_a_lora_brings(base, tmp_path, monkeypatch, tones):
    installed(base, "few.safetensors", parts=["backbone"], few_steps=FEW)
    soundfile.write(tmp_path / "sound.wav", tones(1.0, 16000)[0].numpy(), 16000)
    cost, asked = base.pack.module("nodes.managed.cost"), []

    def noted(config: Any, sound: Any, first: int, size: Any, denoising: Any, *more: Any) -> Any:
        asked.append((denoising.steps, denoising.cfg, denoising.sampler_name))
        return work_for(config, sound, first, size, denoising, *more)

    work_for = cost.work_for
    monkeypatch.setattr(cost, "work_for", noted)
    for loras in ({}, {"loras": "few.safetensors"}):
        cost.foretell({"checkpoint": "demo (built in)", "sampler": "euler"} | loras, tmp_path / "sound.wav")
    demo = BUILT_IN.schedule
    assert asked == [(demo.steps, demo.cfg, "euler"), (4, 1.0, "lcm")]


def test_cores_loader_brings_the_steps_too(base):
    model = through_core(base, installed(base, "few.safetensors", parts=["backbone"], few_steps=FEW))
    own = base.pack.module("nodes.managed.lora").own_schedule(model)
    assert (own.steps, own.cfg, own.solver) == (4, 1.0, "lcm")
