"""The loop that every small network is trained by."""

import pytest
import torch
from torch import nn

from emo_people.networks.fit import OneCycle, WallClock, create_net, fit, with_norms_held, write_weights


class Clock:
    """A clock on which every step takes a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def slope_loss(net):
    x = torch.linspace(-1, 1, 8)[:, None]
    return lambda: {"slope": (net(x) - 3 * x).square().mean(), "bias": 0.1 * net.bias.abs().sum()}


def test_a_network_learns_and_is_left_frozen():
    net, lines = create_net(lambda: nn.Linear(1, 1), 0).eval(), []
    fit(net, slope_loss(net), OneCycle(250, 0.1), "line", lines.append, lambda: f"at {net.weight.item():.0f}")
    assert net.weight.item() == pytest.approx(3, abs=0.15) and abs(net.bias.item()) < 0.05
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    assert [line.split(" slope")[0] for line in lines] == [f"line: step {k}" for k in (100, 200, 250)]
    assert lines[-1].endswith("at 3") and " bias 0.0" in lines[-1]


def test_a_frozen_network_can_be_fitted_further():
    net = create_net(lambda: nn.Linear(1, 1), 0)
    for _ in range(2):
        before = net.weight.item()
        fit(net, slope_loss(net), OneCycle(5, 0.1), "line", lambda line: None)
        assert net.weight.item() != before


def test_one_cycle_rises_to_its_rate_and_falls():
    optimizer = OneCycle(40, 0.5).optimizer(nn.Linear(1, 1))
    rates = [optimizer.param_groups[0]["lr"] for _ in OneCycle(40, 0.5).progress(optimizer)]
    assert len(rates) == 40 and max(rates) == pytest.approx(0.5, rel=0.01)
    assert rates[0] < 0.03 and rates[-1] < 0.001


def test_a_wall_clock_warms_up_and_stops_in_time(monkeypatch):
    clock, rates = Clock(), []
    monkeypatch.setattr("time.monotonic", clock)
    pace = WallClock(minutes=100 / 60, lr=1.0, warmup=10)
    optimizer = pace.optimizer(nn.Linear(1, 1))
    for progress in pace.progress(optimizer):
        rates.append(optimizer.param_groups[0]["lr"])
        assert progress == pytest.approx(clock.now / 100)
        clock.now += 1
    assert len(rates) == 100
    assert rates[4] == pytest.approx(0.5 * 0.96) and rates[50] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.02)


def test_gradients_by_the_wall_clock_have_norm_1_at_most(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    net = create_net(lambda: nn.Linear(1, 1), 0)

    def loss():
        clock.now += 1
        return {"far": 1000 * (net(torch.ones(1, 1)) - 5).square().mean()}

    fit(net, loss, WallClock(minutes=3 / 60, lr=0.01, warmup=1), "line", lambda line: None)
    norm = torch.cat([p.grad.flatten() for p in net.parameters()]).norm().item()
    assert norm == pytest.approx(1, abs=1e-4)


def test_held_norms_are_those_of_use():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    nn.init.ones_(net[0].weight)
    before, seen = {name: value.clone() for name, value in net[1].named_buffers()}, []

    def loss() -> dict[str, torch.Tensor]:
        found = net(torch.full((2, 1, 2, 2), 9.0) + torch.rand(2, 1, 2, 2))
        seen.append(found.detach())
        return {"far": (found - 1).square().mean()}

    fit(net, with_norms_held(net, loss), OneCycle(3, 1e-3), "norms", lambda line: None)
    assert all(torch.equal(value, before[name]) for name, value in net[1].named_buffers())
    assert abs(float(seen[0].mean())) > 1, "a batch's own statistics would make the mean 0"


def test_first_weights_depend_on_the_seed_alone():
    first, state = create_net(lambda: nn.Linear(2, 2), 1), torch.get_rng_state()
    torch.rand(3)
    second, other = (create_net(lambda: nn.Linear(2, 2), seed) for seed in (1, 2))
    assert torch.equal(first.weight, second.weight) and not torch.equal(first.weight, other.weight)
    torch.set_rng_state(state)
    create_net(lambda: nn.Linear(2, 2), 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_written_weights_leave_counters_out(tmp_path):
    from safetensors.torch import load_file

    write_weights(nn.BatchNorm1d(2), tmp_path / "net.safetensors", torch.half)
    tensors = load_file(tmp_path / "net.safetensors")
    assert set(tensors) == {"weight", "bias", "running_mean", "running_var"}
    assert all(value.dtype == torch.half for value in tensors.values())
