"""Benchmarks start and are listed; what they measure is for idle machines."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.activations import elements_per_pixel
from benchmarks.knowable import Take, measure
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


def test_every_benchmark_is_listed():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in MODULES if name not in NOT_RUN and f"benchmarks.{name}" not in text] == []
