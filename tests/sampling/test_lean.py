"""EMO in less memory gives the same, bit for bit; the solver the relatives were released with."""

import gc
import weakref
from pathlib import Path

import diffusers
import pytest
import torch
from torch import Tensor

from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_modules.config import EMOConfig
from emo_modules.cues.locator import Cues
from emo_modules.models.emo import Conditioner
from emo_modules.models.reference import ReferenceNet
from emo_modules.sampling.clips import Driving, noise_for, render_clips
from emo_modules.sampling.lean import lean_conditioner
from emo_modules.sampling.noise import video_noise
from emo_modules.sampling.solver import Solver

from ..relatives import NAMES, RELEASED, Scene, random_emo, small

FRAMES = 30
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(params=["emo", "hallo", "echomimic", "v_express"])
def saved(request, tmp_path, tiny_config) -> Path:
    """A checkpoint of the demo's structure, with speed layers and four motion frames, or of a relative."""
    config = tiny_config if request.param == "emo" else small(request.param)
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, config, dict(random_emo(config).named_children()))
    return file


def rendered(conditioner: Conditioner, dtype: torch.dtype = torch.float32) -> Tensor:
    """Several clips or windows, two steps with guidance."""
    config, like = conditioner.config, {"device": CPU, "dtype": dtype}
    scene = Scene.random(config)
    video = conditioner.video(
        scene.portrait.to(dtype),
        scene.picture.to(dtype),
        None if scene.identity is None else scene.identity.to(dtype),
        Cues(None, scene.regions).to(**like).regions,
    )
    rows = torch.randn(
        80, config.audio.layers, config.audio.feature_dim, generator=torch.Generator().manual_seed(2)
    )
    driving = Driving(rows, torch.linspace(0, 40, FRAMES))
    solver = Solver(conditioner.denoiser, config.schedule.solver, 2, 2.5)
    noise = noise_for(config, FRAMES, (8, 8), 0, **like)
    return torch.cat(list(render_clips(conditioner, video, driving, FRAMES, solver, noise)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lean_emo_is_emo_bit_for_bit(saved, dtype):
    whole, lean = load_checkpoint(saved, dtype=dtype), lean_conditioner(saved, dtype=dtype)
    assert lean.config == whole.config
    expected = rendered(whole.model.conditioner(), dtype)
    assert expected.dtype == dtype
    assert expected.float().std() > 0.1
    assert torch.equal(rendered(lean, dtype), expected)


def test_reference_net_is_gone_after_it_was_read(saved, monkeypatch):
    lean, nets, alive = lean_conditioner(saved), [], []
    load = lean.net

    def watched() -> ReferenceNet:
        alive.append(sum(net() is not None for net in nets))
        net = load()
        nets.append(weakref.ref(net))
        return net

    monkeypatch.setattr(lean, "net", watched)
    gc.disable()  # nothing waits for the collector
    try:
        rendered(lean)
    finally:
        gc.enable()
    assert all(net() is None for net in nets)
    assert set(alive) == {0}
    assert not any(name.startswith("reference_net") for name, _ in lean.denoiser.named_parameters())
    config = lean.config
    clips = -(-FRAMES // config.clip_frames)
    clips -= config.quirks.first_motion == "zeros"  # nothing is read before the first clip
    assert len(nets) == 1 + (clips if config.motion_frames else 0)


def test_lean_emo_refuses_what_emo_refuses(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing there"):
        lean_conditioner(tmp_path / "no.safetensors")


# The step rule that the relatives' weights were released with

# as in the releases' inference configurations
RELEASED_DDIM = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "steps_offset": 1,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


class Curve:
    """Stands for a model: any function of the latents and the time."""

    def __init__(self, config: EMOConfig):
        self.config, self.times = config, []

    def predict(self, x: Tensor, timesteps: Tensor, conditions: object) -> Tensor:
        self.times.append(int(timesteps[0]))
        return torch.tanh(x * 0.7 + timesteps[:, None, None, None] / 1000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [None, 6, 7])
def test_ddim_diffusers_is_diffusers_ddim(name, steps):
    config = RELEASED[name].config
    steps = steps or config.schedule.steps
    beta_schedule = "scaled_linear" if name == "v_express" else "linear"
    scheduler = diffusers.DDIMScheduler(beta_schedule=beta_schedule, **RELEASED_DDIM)
    scheduler.set_timesteps(steps)
    noise = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    x, theirs = noise, Curve(config)
    for t in scheduler.timesteps:
        x = scheduler.step(theirs.predict(x, t.expand(len(x)), None), t, x, eta=0.0).prev_sample
    ours = Curve(config)
    found = Solver(ours, config.schedule.solver, steps, 1.0)(noise, None)
    assert torch.equal(found, x)
    assert ours.times == theirs.times == scheduler.timesteps.tolist()
    assert ours.times[0] == 999


def test_the_step_rule_counts_where_steps_do_not_divide_a_thousand():
    """Released: a step is 1000 // steps long, whatever the timesteps say. At 6 that leaves noise behind."""
    config = RELEASED["echomimic_acc"].config
    noise = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    both = {
        steps: [Solver(Curve(config), name, steps, 1.0)(noise, None) for name in ("ddim", "ddim-diffusers")]
        for steps in (6, 25)
    }
    scale = both[25][0].abs().max()
    assert (both[25][0] - both[25][1]).abs().max() < 1e-3 * scale
    assert (both[6][0] - both[6][1]).abs().max() > 0.01 * scale


@pytest.mark.parametrize(("name", "limit"), [("echomimic", 1.5), ("echomimic_acc", 1.5)])
def test_echomimics_starting_noise_is_cut(name, limit):
    config = RELEASED[name].config
    found = torch.cat(list(noise_for(config, 30, (8, 8), 4, CPU, torch.float32)))
    plain = torch.cat(list(video_noise(30, config.clip_frames, (4, 8, 8), 0.0, 4)))
    assert plain.abs().max() > 3
    assert torch.equal(found, plain.clamp(-limit, limit))
    assert 0.1 < (found.abs() == limit).float().mean() < 0.16  # 13 % of a normal distribution


@pytest.mark.parametrize("name", ["echomimic_pose", "echomimic_pose_acc", "hallo", "v_express"])
def test_other_noise_is_not_cut(name):
    config = RELEASED[name].config
    assert max(piece.abs().max() for piece in noise_for(config, 30, (8, 8), 4, CPU, torch.float32)) > 3
