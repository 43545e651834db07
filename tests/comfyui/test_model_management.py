"""EMO under ComfyUI's model management: partial loading, precisions, LoRA, compilation, room for others."""

import gc
import weakref

import pytest
import torch

from .in_process import Scene, load_scene
from .prompts import SMALL


@torch.no_grad()
def one_step(scene: Scene, model) -> torch.Tensor:
    """A prediction through everything that has weights, without asking ComfyUI to load anything."""
    denoiser, net = model.model.diffusion_model, scene.net.patcher.model
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    portrait, motion = draw(1, 8, 16, 16), draw(4, 8, 16, 16)
    pixels = draw(1, 3, 128, 128).clamp(-1, 1)
    video = denoiser.read_portrait(portrait, net.write(portrait), torch.ones(1, 1, 128, 128), pixels=pixels)
    past = net.past(motion[None], None)
    tokens = denoiser.audio_tokens(draw(1, 6, 17, 3, 96))
    conditions = denoiser.read_clip(video, 6, tokens, past, torch.full((1, 6), 9.0))
    return denoiser.predict(draw(6, 8, 16, 16), torch.full((6,), 500.0), conditions)


def with_lora(scene: Scene):
    """A LoRA on every projection that makes queries, loaded as core's LoRA loader does."""
    import comfy.sd

    state = scene.model.model.state_dict()
    queries = [key.removesuffix(".weight") for key in state if key.endswith(".to_q.weight")]
    assert len(queries) > 20
    generator = torch.Generator().manual_seed(0)
    lora = {}
    for key in queries:
        rows, columns = state[f"{key}.weight"].shape
        lora[f"{key}.lora_up.weight"] = torch.randn(rows, 2, generator=generator)
        lora[f"{key}.lora_down.weight"] = torch.randn(2, columns, generator=generator) * 0.05
    model, _ = comfy.sd.load_lora_for_models(scene.model, None, lora, 1.0, 0)
    assert len(model.patches) == len(queries)
    return model


def loaded_in_part(patcher, share: float) -> int:
    """Loads about that share of the weights; returns how many layers fetch theirs when they compute."""
    patcher.detach()
    patcher.partially_load(torch.device("cpu"), extra_memory=int(patcher.model_size() * share))
    return sum(getattr(module, "comfy_cast_weights", False) for module in patcher.model.modules())


def leave_offloaded(patcher, monkeypatch) -> None:
    """All layers fetch their weights when they compute: on a CPU ComfyUI would load them at once."""
    import comfy.model_management

    assert loaded_in_part(patcher, 0.0) > 50
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", lambda *_, **__: None)


def test_every_layer_with_weights_can_stay_offloaded(scene):
    for patcher in (scene.model, scene.net.patcher):
        leaves = [m for m in patcher.model.modules() if any(True for _ in m.parameters(recurse=False))]
        assert len(leaves) > 100
        assert [type(m).__name__ for m in leaves if not hasattr(m, "comfy_cast_weights")] == []


@pytest.mark.parametrize("lora", [False, True])
def test_partial_loading_equals_full_loading(pack, lora):
    """With a LoRA too: offloaded layers get their patches when they compute."""
    scene = load_scene(pack)
    model = with_lora(scene) if lora else scene.model
    plain = one_step(scene, model)
    model.patch_model(torch.device("cpu"))
    full = one_step(scene, model)
    fetched = []
    for share in (0.0, 0.4):
        fetched.append(loaded_in_part(model, share))
        loaded_in_part(scene.net.patcher, share)
        assert (one_step(scene, model) - full).abs().max() < 1e-4 * full.abs().max()
    assert fetched[0] > fetched[1] > 50
    assert ((full - plain).abs().max() > 1e-2) == lora


def test_lora_changes_the_video_and_leaves_the_model_it_came_from(pack):
    scene = load_scene(pack)
    before = scene.sample()
    changed = scene.sample(model=with_lora(scene))
    assert (changed - before).abs().max() > 1e-2
    assert (scene.sample() - before).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_every_precision_gives_the_same_video_within_its_own(pack, scene, dtype):
    other = load_scene(pack, dtype)
    weights = {parameter.dtype for parameter in other.model.model.diffusion_model.parameters()}
    assert weights == {{"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]}
    error = (other.sample(0.8) - scene.sample(0.8)).abs().mean()
    assert error < {"fp32": 1e-6, "bf16": 0.05, "fp16": 0.01}[dtype]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_arithmetic_in_half_precision(pack, scene, dtype):
    """As on a GPU: on a CPU ComfyUI keeps half-precision weights but computes in float32."""
    model_module = pack.module("nodes.managed.model")
    reference_module = pack.module("nodes.managed.reference")
    checkpoint = pack.module("emo_modules.checkpoints.store").read_checkpoint(
        pack.module("nodes.managed.files").checkpoint_path(SMALL)
    )
    net = reference_module.load_reference_net(checkpoint, dtype, None)
    # smooth: where pixels differ by themselves, a displacement that is rounded fetches another picture
    small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.interpolate(small, (128, 128), mode="bilinear").movedim(1, -1)
    reference = reference_module.encode_reference(net, scene.vae, image)
    exact = reference_module.encode_reference(scene.net, scene.vae, image)
    half = scene.sample(model=model_module.load_denoiser(checkpoint, dtype, None), reference=reference)
    full = scene.sample(reference=exact)
    assert half.isfinite().all()
    assert (half - full).abs().mean() < 0.1 * full.std()


def test_compiled_model_gives_the_same_video(pack, scene):
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    compiled = scene.model.clone()
    set_torch_compile_wrapper(model=compiled, backend="aot_eager")
    assert (scene.sample(model=compiled) - scene.sample()).abs().max() < 1e-3


def test_windows_with_dynamic_vram_loads_as_elsewhere(pack, scene, monkeypatch):
    """There ComfyUI's own Linear is made without a weight, which comes with the state dict."""
    management = pytest.importorskip("comfy.memory_management", reason="ComfyUI without dynamic VRAM")
    import comfy.model_management as mm

    expected = scene.sample()
    monkeypatch.setattr(mm, "WINDOWS", True)
    monkeypatch.setattr(management, "aimdo_enabled", True)
    assert torch.equal(load_scene(pack).sample(), expected)


def test_weights_come_back_to_the_type_they_were_loaded_in(pack):
    """ComfyUI's dynamic VRAM casts to the type noted when the model was built."""
    scene = load_scene(pack, "fp16")
    for patcher in (scene.model, scene.net.patcher):
        leaves = [m for m in patcher.model.modules() if hasattr(m, "weight_comfy_model_dtype")]
        if not leaves:
            pytest.skip("ComfyUI without dynamic VRAM notes no types")
        assert {m.weight_comfy_model_dtype for m in leaves} == {torch.float16}


def test_another_model_finds_emo_out_of_its_way(pack):
    """ComfyUI can unload all of EMO, it comes back for the next run, and nothing holds it afterwards."""
    import comfy.model_management as mm

    scene = load_scene(pack)
    before = scene.sample()
    mm.free_memory(1e30, torch.device("cpu"))
    ours = (scene.model, scene.net.patcher, scene.encoder.patcher, scene.vae.patcher)
    assert not any(loaded.model.is_clone(patcher) for loaded in mm.current_loaded_models for patcher in ours)
    assert torch.equal(scene.sample(), before)
    alive = [weakref.ref(patcher.model) for patcher in ours]
    mm.unload_all_models()
    del scene, ours
    gc.collect()
    mm.cleanup_models()
    gc.collect()
    assert [ref() is None for ref in alive] == [True] * 4


def test_the_backbone_is_asked_for_last_before_it_computes(scene, monkeypatch):
    """Loading ReferenceNet for the motion frames may move the Backbone out where memory is short."""
    import comfy.model_management as mm

    asked, at_work = [], []
    load, denoiser = mm.load_models_gpu, scene.model.model.diffusion_model
    read_clip = denoiser.read_clip

    def recorded(patchers, *args, **kwargs):
        asked.append([patcher.model for patcher in patchers])
        return load(patchers, *args, **kwargs)

    def computing(*args):
        at_work.append(scene.model.model in asked[-1])
        return read_clip(*args)

    monkeypatch.setattr(mm, "load_models_gpu", recorded)
    monkeypatch.setattr(denoiser, "read_clip", computing, raising=False)
    scene.sample(1.2)
    assert at_work == [True, True, True]


def test_memory_estimate_grows_with_the_picture_and_not_with_the_audio(scene):
    small, wide = (scene.model.memory_required([24, 8, 16, width]) for width in (16, 32))
    assert wide == 2 * small > 0
