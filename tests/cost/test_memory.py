"""Memory from the configuration: it follows size, type, weights and length as they ask for it."""

from dataclasses import replace

import pytest
import torch

from emo_modules.checkpoints.store import DEMO_CHECKPOINT, read_checkpoint
from emo_modules.config import EMOConfig
from emo_modules.cost.memory import Weights, latent_bytes, memory
from emo_modules.cost.work import Work
from emo_modules.families.table import RELEASES

SD15 = Weights(1_800_000_000, 800_000_000)


@pytest.fixture
def paper() -> Work:
    return Work(EMOConfig.sd15(), 250, 10.0, 512, 512, steps=40, cfg=3.5)


@pytest.mark.parametrize(("seconds", "side", "gigabytes"), [(5, 256, 0.72), (20, 256, 0.67), (5, 512, 0.90)])
def test_the_built_in_model_takes_what_was_measured(seconds, side, gigabytes):
    """Peaks of `animate` on Linux: docs/performance.md."""
    found = read_checkpoint(DEMO_CHECKPOINT)
    work = Work(found.config, 25 * seconds, float(seconds), side, side, steps=1, cfg=1.0)
    assert memory(work, Weights.of(found.tensors)).main == pytest.approx(gigabytes * 1e9, rel=0.1)


@pytest.mark.parametrize(("name", "gigabytes"), [("hallo", 7.6), ("echomimic", 7.3)])
def test_the_relatives_take_what_was_measured(name, gigabytes):
    """docs/performance.md: 256 x 256, one clip, weights of 5.4 and 5.2 GB and the VAE's, no ReferenceNet."""
    config = RELEASES[name].config
    size = {"hallo": 5.4e9, "echomimic": 5.2e9}[name] + 0.33e9
    work = Work(config, config.clip_frames, 1.0, 256, 256, steps=1, cfg=3.5)
    assert memory(work, Weights(round(size / 4), 0)).main == pytest.approx(gigabytes * 1e9, rel=0.15)


def test_half_precision_halves_weights_and_activations(paper):
    whole, half = (
        memory(replace(paper, device="cuda", dtype=t), SD15) for t in (torch.float32, torch.float16)
    )
    assert half.graphics == whole.graphics // 2
    assert half.main == whole.main


def test_low_memory_leaves_reference_net_out(paper):
    small = replace(paper, width=256, height=256, config=replace(paper.config, width=256, height=256))
    saved = memory(small, SD15).main - memory(small, SD15, lean=True).main
    assert 0 < saved <= 4 * SD15.reference_net


def test_a_gpu_takes_the_model_and_main_memory_does_not(paper):
    on_gpu, on_cpu = memory(replace(paper, device="cuda"), SD15), memory(paper, SD15)
    assert on_cpu.graphics is None
    assert on_gpu.graphics > 4 * SD15.all
    assert on_cpu.main == on_gpu.main + on_gpu.graphics


def test_length_costs_the_sound_and_for_windows_the_latents():
    config = RELEASES["echomimic"].config
    short = Work(config, 240, 10.0, 512, 512, steps=30, cfg=2.5)
    long = replace(short, frames=2400, sound=100.0)
    more = memory(long, SD15).main - memory(short, SD15).main
    assert more == pytest.approx(4 * (latent_bytes(long) - latent_bytes(short)), rel=0.2)


def test_files_beside_the_checkpoint_count(tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "weights.bin").write_bytes(b"0" * 4000)
    (tmp_path / "vae.bin").write_bytes(b"0" * 400)
    tensors = {"backbone.a": torch.zeros(3, 2), "reference_net.a": torch.zeros(5)}
    assert Weights.of(tensors, tmp_path / "encoder", tmp_path / "vae.bin") == Weights(11 + 1000 + 100, 5)
