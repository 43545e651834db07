"""Benchmarks start and are listed; what they measure is for idle machines."""

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import train_gpu
from benchmarks.activations import elements_per_pixel
from benchmarks.counts import Counts, counted, counts, structure
from benchmarks.knowable import Take, measure
from benchmarks.train_memory import STRUCTURES
from benchmarks.wide.weights import random_emo
from emo_modules.checkpoints.adapter import read_adapter
from emo_modules.config import EMOConfig
from emo_modules.cost.memory import ACTIVATIONS_PER_PIXEL
from emo_people.recipe.config import BUILT_IN

FOLDER = Path(__file__).parents[1] / "benchmarks"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
NOT_RUN = {"measure", "ours"}  # of others' use


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_starts_and_says_what_it_is_for(name, monkeypatch, capsys):
    pytest.importorskip("resource", reason="benchmarks are for Linux and macOS")
    module = import_module(f"benchmarks.{name}")
    if name == "measure":
        return
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["hallo", "echomimic", "v_express"])
def test_an_original_starts_where_its_libraries_are(name):
    pytest.importorskip("resource", reason="benchmarks are for Linux and macOS")
    pytest.importorskip("omegaconf", reason="what the originals import is not installed")
    assert callable(import_module(f"benchmarks.originals.{name}").load)


@pytest.mark.parametrize("config", [BUILT_IN, EMOConfig.sd15()], ids=lambda config: config.name)
def test_a_pass_takes_no_more_memory_than_the_nodes_say(config):
    found = elements_per_pixel(config, 32)
    assert 0.8 * ACTIVATIONS_PER_PIXEL < found < ACTIVATIONS_PER_PIXEL


@pytest.fixture(scope="module")
def passes() -> dict[str, dict[str, Any]]:
    """Of the paper's structure; neither size nor width changes what is launched."""
    return counts(structure("emo"), 64, fused=False)


def test_a_pass_launches_no_more_kernels_than_it_must(passes):
    """In ComfyUI too, where no projections are fused."""
    assert passes["cond"]["kernels"] <= 1450
    assert passes["uncond"]["kernels"] < passes["cond"]["kernels"]


def test_hallos_pass_launches_no_more_kernels_than_it_must():
    """Its branches are one on a GPU, outside of ComfyUI."""
    seen = counts(structure("hallo"), 64)["cond"]
    assert seen["kernels"] <= 1450
    assert "index_add_" not in seen["by_kernel"]


def test_a_pass_makes_nothing_that_is_constant(passes):
    made = {"arange", "zeros", "new_zeros", "zeros_like", "fill_", "pow", "div", "stack", "repeat_interleave"}
    assert made & set(passes["cond"]["by_kernel"]) == set()
    assert passes["cond"]["by_kernel"]["silu"] == 2 * 22 + 3  # residual blocks, time embedding, last layer


def test_kernels_are_counted_without_views_and_with_their_bytes():
    x = torch.empty(4, 8, device="meta")
    _, found = counted(lambda: (x.t().expand(2, 8, 4).unsqueeze(0), x.new_empty(3), x @ x.t(), x[:2] + 1))
    assert found["by_kernel"] == {"mm": 1, "add": 1}
    with Counts() as seen:
        _ = x[:2] + x[0]
    assert seen.bytes == 4 * (16 + 8 + 16)


class Shrink(nn.Module):
    """Latents are every eighth pixel."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :, ::8, ::8]


def test_what_the_dice_change_is_what_cannot_be_known():
    films = np.random.default_rng(0).integers(0, 256, (1, 4, 32, 32, 3), np.uint8).repeat(3, 0)
    same = Take(films[0, 0], films, np.zeros((3, 4, 3)))
    found = measure(iter([same]), Shrink())
    assert found["unknowable"] == found["pose"] == found["pixels"] == 0
    assert found["portrait"] > 0.1

    lighter = films // 2
    lighter[1] += 51  # a fifth of white, 0.4 from -1 to 1: the variance of (0, 0.4, 0) is 0.16 / 3
    found = measure(iter([same, Take(films[0, 0], lighter, np.zeros((3, 4, 3)))]), Shrink())
    assert found["unknowable"] == pytest.approx(0.16 / 3 / 2, abs=1e-3)
    assert [person["unknowable"] for person in found["people"]] == pytest.approx([0, 0.16 / 3], abs=1e-3)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_random_weights_are_the_same_every_time_and_none_is_like_another(structure):
    config = train_gpu.little_of(STRUCTURES[structure]())
    one, two = (random_emo(config, torch.device("cpu")).state_dict() for _ in range(2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert all(value.count_nonzero() == value.numel() for value in one.values())
    wide = one["backbone.down_blocks.0.resnets.0.conv1.weight"]  # (16, 16, 3, 3)
    assert wide.std() == pytest.approx((3 * 16 * 9) ** -0.5, rel=0.1)
    rows = torch.corrcoef(wide.flatten(1)) - torch.eye(16)
    assert rows.abs().max() < 0.5  # chance, of 144 numbers each


@pytest.mark.slow
def test_training_is_measured_row_by_row(any_precision, tmp_path, monkeypatch):
    pytest.importorskip("peft")
    rows = [train_gpu.Row("echomimic"), train_gpu.Row("hallo", "overfit")]
    monkeypatch.setattr(train_gpu, "all_rows", lambda: rows)
    monkeypatch.setattr(train_gpu, "UPDATES", 15)
    monkeypatch.setattr(train_gpu, "RATE", 2e-2)
    asked = train_gpu.Measuring(torch.device("cpu"), tmp_path, 64, tiny=True, graph=False)
    train_gpu.go_through(asked, math.inf)
    memory, overfit = json.loads((tmp_path / "rows.json").read_text()).values()
    assert memory["seconds"] > 0
    assert overfit["left"] < 0.9
    assert overfit["changed"] == []
    lora = read_adapter(tmp_path / overfit["file"])
    state = random_emo(asked.config(rows[1], 64), torch.device("cpu")).state_dict()
    lora.check(asked.config(rows[1], 64), {name: tuple(value.shape) for name, value in state.items()})
    monkeypatch.setattr(train_gpu, "measured", lambda row, asked: pytest.fail(f"{row.name} again"))
    train_gpu.go_through(asked, math.inf)


def test_every_benchmark_is_listed():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in MODULES if name not in NOT_RUN and f"benchmarks.{name}" not in text] == []
