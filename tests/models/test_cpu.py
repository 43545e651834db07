"""Linear layers through oneDNN: torch's private operator is still there, and computes the same."""

import platform
import sys

import pytest
import torch
from torch import nn

from emo_modules.models import cpu
from emo_modules.models.attention import Operations
from emo_modules.models.cpu import CPUOperations, Linear, has_onednn, operations_for


def test_torch_has_onednn_where_it_should() -> None:
    """Without the operator everything works at half the speed, which nobody would notice."""
    assert has_onednn() or (sys.platform, platform.machine()) != ("linux", "x86_64")


@pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN")
@pytest.mark.parametrize(("mkl", "chosen"), [(0.5, Operations), (0.95, CPUOperations), (2.0, CPUOperations)])
def test_a_cpu_gets_the_layers_that_are_faster_by_far(
    monkeypatch, mkl: float, chosen: type[Operations]
) -> None:
    """A tie is none that another program could decide: processes of one machine round alike."""
    monkeypatch.setattr(cpu, "linear_times", lambda kind: 1.0 if kind is Linear else mkl)
    cpu.mkl_is_faster.cache_clear()
    assert operations_for("cpu") is chosen
    assert operations_for("cuda") is Operations
    cpu.mkl_is_faster.cache_clear()


def test_the_faster_layers_are_looked_for_once(monkeypatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(cpu, "linear_times", lambda kind: asked.append(kind) or 1.0)
    cpu.mkl_is_faster.cache_clear()
    for _ in range(3):
        operations_for("cpu")
    assert len(asked) == (2 if has_onednn() else 0)
    cpu.mkl_is_faster.cache_clear()


@pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("shape", [(7, 12), (2, 5, 12)])
@pytest.mark.parametrize("bias", [True, False])
def test_they_give_what_torchs_own_give(shape: tuple[int, ...], bias: bool) -> None:
    layer, own = Linear(12, 9, bias=bias), nn.Linear(12, 9, bias=bias)
    own.load_state_dict(layer.state_dict())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), own(x), rtol=1e-5, atol=1e-6)


def test_gradients_flow() -> None:
    layer = Linear(12, 9)
    with torch.enable_grad():  # the tests of models run without
        layer(torch.ones(3, 12)).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().min() > 0
