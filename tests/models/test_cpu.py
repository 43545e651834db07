"""Linear layers through oneDNN: torch's private operator is still there, and computes the same."""

import platform
import sys

import pytest
import torch
from torch import nn

from emo_modules.models.attention import Operations
from emo_modules.models.cpu import CPUOperations, Linear, operations_for


def test_a_cpu_gets_them_wherever_torch_has_onednn() -> None:
    """Without the operator everything works at half the speed, which nobody would notice."""
    has_onednn = sys.platform == "linux" and platform.machine() == "x86_64"
    assert operations_for("cpu") is CPUOperations or not has_onednn
    assert operations_for("cuda") is Operations


@pytest.mark.skipif(operations_for("cpu") is Operations, reason="this torch has no oneDNN")
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
