"""EMO's open relatives in the nodes: equal to the library, loaded as released, and what each asks for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.cues.face import Box
from emo_modules.families.table import face_cues
from emo_modules.models.emo import EMO
from emo_modules.sampling.clips import Driving, noise_for, render_clips
from emo_modules.sampling.solver import Solver

from .in_process import Pack
from .releases import random_emo, small
from .test_model_management import leave_offloaded

FACE = Box(12, 10, 52, 56)
FRAMES = 34  # more than two clips or windows of every family
FAMILIES = ["echomimic", "echomimic_acc", "echomimic_pose", "hallo", "joyhallo", "v_express"]


@dataclass(frozen=True)
class Setting:
    """A portrait's latent and the driving of a model of one configuration."""

    config: EMOConfig
    portrait: Tensor
    identity: Tensor | None
    driving: Driving
    frames: int = FRAMES

    @classmethod
    def random(cls, config: EMOConfig) -> "Setting":
        generator = torch.Generator().manual_seed(0)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator)

        quirks = config.quirks
        rows = round(FRAMES * (quirks.audio_row_rate or quirks.audio_rows * config.fps) / config.fps)
        audio = draw(rows, config.audio.layers, config.audio.feature_dim)
        pictures = draw(FRAMES, 3, 64, 64).sigmoid() if quirks.locator_pictures else None
        identity = draw(1, quirks.identity.embedding_dim) if quirks.identity else None
        return cls(config, draw(1, 4, 8, 8), identity, Driving(audio, None, pictures))

    def latents(self, model: EMO, cfg: float, steps: int, seed: int, deep_cache: int = 1) -> Tensor:
        """What the library makes of it."""
        picture, regions = face_cues(self.config, FACE, 64, 64)
        solver = Solver(model, "ddim", steps, cfg, deep_cache=deep_cache)
        noise = noise_for(self.config, self.frames, (8, 8), seed, torch.device("cpu"), torch.float32)
        with torch.no_grad():
            conditioner = model.conditioner()
            video = conditioner.video(self.portrait, picture, self.identity, regions)
            return torch.cat(list(render_clips(conditioner, video, self.driving, self.frames, solver, noise)))


@dataclass(frozen=True)
class Loaded:
    """A relative's parts in ComfyUI."""

    pack: Pack
    model: Any
    net: Any
    setting: Setting
    vae: Any = None

    @classmethod
    def of(cls, pack: Pack, setting: Setting, vae: Any = None) -> "Loaded":
        """The library's random model, given to the nodes' loaders."""
        config = pack.module("emo_modules.config").EMOConfig.from_json(setting.config.to_json())
        checkpoint = pack.module("emo_modules.checkpoints.store").Checkpoint(
            "random", config, random_emo(setting.config).state_dict(), {}, ""
        )
        load = pack.module("nodes.managed.model").load_denoiser
        load_net = pack.module("nodes.managed.reference").load_reference_net
        parts = (read(checkpoint, torch.float32, None) for read in (load, load_net))
        return cls(pack, *parts, setting, vae)

    def reference(self) -> Any:
        module = self.pack.module("nodes.managed.reference")
        written, tokens = self.net.read(self.setting.portrait, self.setting.identity)
        return module.Reference(self.net, self.vae, self.setting.portrait, tuple(written), tokens)

    def render(self, on_step: Any = lambda *_: None, **changes: Any) -> Iterator[Tensor]:
        """Latents on the VAE's scale, as EMOSampler renders them."""
        module = self.pack.module("nodes.managed.sampling")
        cues = self.pack.module("emo_modules.families.table").face_cues
        box = self.pack.module("emo_modules.cues.face").Box(12, 10, 52, 56)
        settings = {"seed": 3, "steps": 3, "cfg": 2.0, "sampler_name": "euler", "scheduler": "as trained"}
        sampling = module.Denoising(**(settings | changes), audio_scale=1.0)
        found = cues(self.net.config, box, 64, 64)
        return module.render(
            self.model,
            self.reference(),
            self.setting.driving,
            self.setting.frames,
            found,
            sampling,
            on_step,
        )


class Blurred:
    """Stands for a VAE that loses much."""

    def decode(self, latents: Tensor) -> Tensor:
        return latents.movedim(1, -1)

    def encode(self, pictures: Tensor) -> Tensor:
        return pictures.movedim(-1, 1) / 2


def without_pixels(config: EMOConfig) -> EMOConfig:
    """Motion frames stay latents."""
    return replace(config, quirks=replace(config.quirks, motion_pixels=False))


@pytest.fixture(scope="module", params=FAMILIES)
def relative(request, pack) -> Loaded:
    return Loaded.of(pack, Setting.random(without_pixels(small(request.param))))


@pytest.fixture(scope="module")
def echomimic(pack) -> Loaded:
    return Loaded.of(pack, Setting.random(small("echomimic")))


@pytest.mark.parametrize("cfg", [1.0, 2.5])
def test_latents_equal_the_library(relative, cfg):
    """Several clips or windows; only ComfyUI's sigma at zero SNR differs: it is finite."""
    setting = relative.setting
    expected = setting.latents(random_emo(setting.config), cfg, 3, 3)
    with torch.no_grad():
        found = torch.cat(list(relative.render(cfg=cfg))) * setting.config.latent_scale
    assert found.shape == expected.shape == (FRAMES, 4, 8, 8)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 1e-3 * expected.abs().max()


def test_hallos_motion_frames_go_through_pixels(pack):
    """As the weights saw them in training: decoded and encoded again between the clips."""
    config = small("hallo")
    assert config.quirks.motion_pixels
    loaded = Loaded.of(pack, Setting.random(config), Blurred())
    plain = Loaded.of(pack, Setting.random(without_pixels(config)))
    blurred, sharp = (torch.cat(list(one.render())) for one in (loaded, plain))
    assert torch.equal(blurred[:16], sharp[:16])
    assert (blurred[16:] - sharp[16:]).abs().max() > 1e-2


def test_only_one_window_is_in_the_model_and_counted_at_a_time(echomimic, monkeypatch):
    import comfy.sampler_helpers

    asked, seen = [], []
    estimate, denoiser = comfy.sampler_helpers.estimate_memory, echomimic.model.model.diffusion_model
    predict = denoiser.predict

    def estimated(model, shape, *more, **named):
        asked.append(shape[0])
        return estimate(model, shape, *more, **named)

    def predicted(x, *more):
        seen.append(len(x))
        return predict(x, *more)

    monkeypatch.setattr(comfy.sampler_helpers, "estimate_memory", estimated)
    monkeypatch.setattr(denoiser, "predict", predicted, raising=False)
    list(echomimic.render(steps=2, cfg=1.0))
    assert set(seen) == set(asked) == {12}
    assert len(seen) == 2 * 4  # 34 frames in windows of 12 that share 3


def test_a_video_shorter_than_a_window_is_one(pack):
    setting = Setting.random(small("v_express"))
    short = replace(setting, frames=5)
    expected = short.latents(random_emo(setting.config), 1.0, 2, 3)
    found = torch.cat(list(Loaded.of(pack, short).render(steps=2, cfg=1.0)))
    assert len(found) == 5
    assert (found * setting.config.latent_scale - expected).abs().max() < 1e-3 * expected.abs().max()


@pytest.mark.parametrize("sampler_name", ["euler_cfg_pp", "dpmpp_2m", "dpmpp_sde"])
def test_one_window_is_sampled_as_a_clip_is(pack, sampler_name):
    """The samplers called cfg_pp also look at guidance's two halves."""
    loaded = Loaded.of(pack, Setting.random(small("v_express")))
    module = pack.module("nodes.managed.sampling")
    emo = module.ManagedConditioner(loaded.model, loaded.reference())
    sampling = module.Denoising(0, 3, 2.0, sampler_name, "as trained", 1.0)
    solve = module.GuiderSolver(emo.model, sampling, lambda *_: None)
    generator = torch.Generator().manual_seed(0)
    noise, heard = (torch.randn(shape, generator=generator) for shape in ((12, 4, 8, 8), (1, 12, 10, 1, 768)))
    with torch.no_grad():
        video = emo.video_of(pack.module("emo_modules.cues.locator").Cues(None, None))
        conditions = emo.clip(video, 12, heard)
        windows = pack.module("emo_modules.sampling.windows").Windows(
            emo.config.quirks.windows, lambda frames: conditions, torch.device("cpu")
        )
        clip, whole = solve.clip(noise, conditions, 0, 7), solve.windows(noise, windows, 7)
    assert clip.std() > 0.1
    assert (clip - whole).abs().max() < 1e-4 * clip.abs().max()


def test_every_sampler_denoises_windows(pack, echomimic):
    import comfy.samplers

    short = replace(echomimic, setting=replace(echomimic.setting, frames=14))
    broken = [
        name
        for name in comfy.samplers.KSampler.SAMPLERS
        if not torch.cat(list(short.render(sampler_name=name, cfg=1.0))).isfinite().all()
    ]
    assert broken == []


@pytest.mark.parametrize("sampler_name", ["euler", "heun"])
def test_progress_counts_windows_and_cancelling_stops_within_one(echomimic, sampler_name):
    import comfy.model_management

    seen = []

    def on_step(run: int, done: int, total: int, estimate: Tensor) -> None:
        seen.append((run, done, total, len(estimate)))
        if len(seen) == 6:
            comfy.model_management.interrupt_current_processing()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        list(echomimic.render(on_step, steps=3, sampler_name=sampler_name))
    # heun visits each level but the last twice, the second time from the step before
    expected = [1, 2, 3, 4, 5, 6]
    assert seen == [(0, done, 12, 12) for done in expected]


def test_cfg_and_steps_of_zero_are_the_familys_own(pack):
    loaded = Loaded.of(pack, replace(Setting.random(small("v_express")), frames=5))
    own = torch.cat(list(loaded.render(steps=0, cfg=0.0)))
    assert torch.equal(own, torch.cat(list(loaded.render(steps=2, cfg=3.5))))
    assert not torch.equal(own, torch.cat(list(loaded.render(steps=2, cfg=1.0))))


@pytest.mark.parametrize("family", ["echomimic", "v_express"])
def test_every_layer_of_a_relative_can_stay_offloaded(pack, family, monkeypatch):
    loaded = Loaded.of(pack, replace(Setting.random(small(family)), frames=5))
    whole = torch.cat(list(loaded.render(steps=1)))
    for patcher in (loaded.model, loaded.net.patcher):
        leaves = [m for m in patcher.model.modules() if any(True for _ in m.parameters(recurse=False))]
        assert [type(m).__name__ for m in leaves if not hasattr(m, "comfy_cast_weights")] == []
    leave_offloaded(loaded.model, monkeypatch)
    assert (torch.cat(list(loaded.render(steps=1))) - whole).abs().max() < 1e-4 * whole.abs().max()
