"""EMOSampler on ComfyUI's guider: it equals the library, and every sampler and scheduler of core works."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared

from .in_process import load_scene
from .prompts import SMALL
from .releases import small_built_in, write_small

ROOT = Path(__file__).parents[2]


def test_latents_equal_the_library(scene):
    """Two clips, so that motion frames count; only ComfyUI's sigma at zero SNR differs: it is finite."""
    pipeline = Pipeline.load(scene.pack.module("nodes.managed.files").checkpoint_path(SMALL))
    options = Options(seed=3, head_speed=20.0, box=Box(134, 84, 380, 356))
    image, *_ = scene.pack.run("EMOExample")
    prepared = Prepared.from_portrait(image[0], options, pipeline.config)
    assert isinstance(prepared, Prepared)
    sound = scene.sound(0.8)
    audio = Audio(sound["waveform"][0], sound["sample_rate"])
    expected = torch.cat(list(pipeline.latents(prepared, audio, 20, options)))
    found = scene.sample(0.8, seed=3, speed=20.0)
    assert found.shape == expected.shape == (20, 8, 16, 16)
    assert (found - expected).abs().max() < 5e-3


def test_guidances_halves_in_one_batch_change_nothing(scene, monkeypatch):
    """As small clips have it on a GPU: one pass a step, and conditions that are joined once a clip."""
    conditions = scene.pack.module("emo_modules.models.conditions")
    sampling, sizes = scene.pack.module("nodes.managed.sampling"), []
    monkeypatch.setattr(sampling, "kept_clips", lambda *_: None)
    expected = scene.sample(0.96, cfg=2.0, steps=3)
    predict = scene.model.model.diffusion_model.predict
    monkeypatch.setattr(
        scene.model.model.diffusion_model,
        "predict",
        lambda x, timesteps, given: sizes.append((len(x), id(given))) or predict(x, timesteps, given),
    )
    monkeypatch.setattr(conditions.Conditions, "few", property(lambda self: True))
    found = scene.sample(0.96, cfg=2.0, steps=3)
    assert [count for count, _ in sizes] == [24] * 6
    assert len({name for _, name in sizes[:3]}) == len({name for _, name in sizes[3:]}) == 1
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_same_seed_same_latents_other_seed_others(scene):
    one, again, other = scene.sample(seed=1), scene.sample(seed=1), scene.sample(seed=2)
    assert torch.equal(one, again)
    assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize(
    ("change", "value"), [("speed", 40.0), ("audio_scale", 0.0), ("cfg", 2.0), ("steps", 3)]
)
def test_every_control_changes_the_latents(scene, change, value):
    assert (scene.sample() - scene.sample(**{change: value})).abs().max() > 1e-2


def test_a_list_of_speeds_is_read_frame_by_frame(scene):
    """The second clip of two is asked to turn fast: the first stays as it was."""
    calm, turning = scene.sample(0.96, speed=4.0), scene.sample(0.96, speed=[4.0] * 14 + [50.0] * 10)
    assert torch.equal(calm[:12], turning[:12])
    assert (calm[12:] - turning[12:]).abs().max() > 1e-2


def test_every_sampler_and_scheduler_renders_a_clip(scene):
    import comfy.samplers

    core = comfy.samplers.KSampler
    runs = [(name, "as trained") for name in core.SAMPLERS] + [("euler", name) for name in core.SCHEDULERS]
    assert len(runs) > 40
    broken = [
        run
        for run in runs
        if not scene.sample(0.16, steps=3, sampler_name=run[0], scheduler=run[1]).isfinite().all()
    ]
    assert broken == []


@pytest.fixture(scope="module")
def alone(pack):
    """A model that does not see the frame before a clip, as one that moves portraits does."""
    import folder_paths

    config = replace(small_built_in(), name="alone", moving=False, motion_code=False)
    file = write_small(Path(folder_paths.get_folder_paths("emo")[0]), config)
    return load_scene(pack, checkpoint=file.name)


@pytest.fixture(scope="module")
def still(alone):
    """The same with its temporal modules switched off: no frame knows of another."""
    scene = load_scene(alone.pack, checkpoint="alone.safetensors")  # a patched model shares its weights
    model = scene.model.clone()
    for key, weight in model.model.state_dict().items():
        if ".motion_modules." in key and ".proj_out." in key:
            model.add_patches({key: (-weight,)}, 1.0)
    return model


@pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m", "uni_pc", "lms"])
def test_clips_equal_one_piece_without_motion(alone, still, sampler_name):
    sampling = alone.pack.module("nodes.managed.sampling")
    loop = alone.pack.module("emo_modules.sampling.clips")
    cues = alone.pack.module("emo_modules.cues.locator")
    settings = sampling.Denoising(0, 3, 1.5, sampler_name, "as trained", 1.0)
    emo = sampling.ManagedConditioner(still, alone.reference)
    generator = torch.Generator().manual_seed(1)
    driving = loop.Driving(torch.randn(30, 3, 96, generator=generator), torch.full((30,), 9.0))
    noise = torch.randn(30, 8, 16, 16, generator=generator)

    def rendered(length: int) -> torch.Tensor:
        with torch.no_grad():
            video = emo.video_of(cues.Cues(torch.ones(1, 1, 128, 128), None))
        solve = sampling.GuiderSolver(emo.model, settings, lambda *_: None)
        clips = loop.render_clips(emo, video, driving, 30, solve, noise.split(length))
        return torch.cat(list(clips))

    whole, pieces = rendered(30), rendered(12)
    assert whole.std() > 0.1
    # kernels for 30 and for 12 frames round differently, on some processors more than on others
    assert (whole - pieces).abs().max() < 1e-3


def test_the_patch_that_stills_the_model_is_not_a_no_op(alone, still):
    assert (alone.sample(model=still) - alone.sample()).abs().max() > 0.1


def test_progress_counts_all_clips_and_steps_on_one_bar(scene):
    import comfy.utils

    seen = []

    def hook(value, total, preview, **_):
        seen.append((value, total, preview))

    comfy.utils.set_progress_bar_global_hook(hook)
    try:
        scene.sample(0.96, steps=3, preview=True)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert [value for value, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert {total for _, total, _ in seen} == {6}
    assert all(preview[1].size == (128, 128) for _, _, preview in seen)


def test_interrupting_stops_within_one_step_and_the_next_run_works(scene):
    import comfy.model_management
    import comfy.utils

    steps = []

    def hook(value, *_, **__):
        steps.append(value)
        comfy.model_management.throw_exception_if_processing_interrupted()
        if value == 2:
            comfy.model_management.interrupt_current_processing()

    comfy.utils.set_progress_bar_global_hook(hook)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            scene.sample(2.0, steps=5, preview=True)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert steps[-1] <= 3
    assert scene.sample().isfinite().all()


def test_out_of_memory_says_what_to_lower(scene, monkeypatch):
    import comfy.samplers

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(comfy.samplers.CFGGuider, "sample", full)
    with pytest.raises(torch.OutOfMemoryError, match="12 frames of 128 x 128 pixels: use a smaller crop"):
        scene.sample()


def test_audio_is_exactly_as_long_as_the_frames(scene):
    _, sound, fps = scene.pack.run(
        "EMOSampler",
        model=scene.model,
        reference=scene.reference,
        audio=scene.sound(0.5),
        audio_encoder=scene.encoder,
        seed=0,
        speed=12.0,
        steps=1,
        cfg=1.0,
        sampler_name="euler",
        scheduler="as trained",
        audio_scale=1.0,
    )
    assert fps == 25.0
    # 12.5 frames of sound: a 13th has begun
    assert sound["waveform"].shape == (1, 1, round(13 / 25 * sound["sample_rate"]))


def test_masks_are_united_and_fitted_to_the_portrait(scene):
    unite = scene.pack.module("nodes.managed.cues").unite
    left, right = torch.zeros(1, 64, 64), torch.zeros(1, 64, 64)
    left[..., :32], right[..., 32:] = 1, 1
    assert unite(torch.cat([left, right]), (128, 128)).shape == (128, 128)
    assert unite(torch.cat([left, right]), (128, 128)).min() == 1
    assert unite(left, (128, 192))[0, 80] == 1  # 192 wide: the left half ends at 96
    assert unite(left, (128, 192))[0, 110] == 0
