"""A denoising step asks a GPU for nothing: it only hands it work. Tensors of the meta device have no values,
so that asking for one is an error here."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from emo_modules.config import EMOConfig
from emo_modules.models.attention import Operations
from emo_modules.models.conditions import Conditions
from emo_modules.models.emo import EMO
from emo_modules.sampling.solver import Solver, Step

from ..relatives import Scene, small

META = torch.device("meta")
STEPS = 3
# LCM draws noise at every step, in main memory, so that a seed is the same everywhere; UniPC solves for its
# coefficients where the latents are
SOLVERS = ["ddim", "ddim-diffusers", "dpm++2m", "euler"]


class Crossings(TorchDispatchMode):
    """Counts tensors of more than one value, or from the GPU, that go from one device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name
        if name in ("aten::_to_copy", "aten::copy_") and isinstance(out, Tensor):
            source = args[-1] if name == "aten::copy_" else args[0]
            if source.device != out.device:
                self.found.append(f"{name} {tuple(source.shape)} {source.device} -> {out.device}")
        return out


def given(config: EMOConfig) -> tuple[EMO, Conditions, Tensor]:
    """A model and what it reads, all on the meta device."""
    with torch.device("meta"):
        model = EMO(config, Operations).eval()
    scene = Scene.random(config, config.clip_frames)
    parts = {name: value.to(META) for name, value in vars(scene).items() if isinstance(value, Tensor)}
    regions = scene.regions and {n: at.to(META, torch.float32) for n, at in scene.regions.items()}
    scene = replace(scene, regions=regions, **parts)
    return model, scene.conditions(model), scene.noise


@pytest.fixture(scope="module", params=["hallo", "emo"])
def scene(request, tiny_config) -> tuple[EMO, Conditions, Tensor]:
    config = tiny_config if request.param == "emo" else small(request.param)
    with torch.no_grad():
        return given(config)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_a_step_reads_nothing_back_and_sends_nothing(scene, solver, cfg):
    model, conditions, noise = scene
    crossed: list[int] = []
    seen = Crossings()

    def on_step(step: Step) -> None:
        assert step.estimate.device == META
        crossed.append(len(seen.found))

    solve = Solver(model, solver, STEPS, cfg, on_step)
    with seen:
        assert solve(noise, conditions).shape == noise.shape
    assert len(crossed) == STEPS
    assert crossed[-1] == crossed[0], seen.found  # what was sent was sent before the first step
    assert crossed[0] == 1, seen.found  # the timesteps
