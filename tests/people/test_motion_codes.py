"""Codes of what was acted are those that inference draws."""

import torch

from emo_modules.sampling.motion_code import SHUT, SHUTTING
from emo_training.training.motion_codes import TURN, draw_gains, lid_code, mirror_turn, turn_code


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_turn_at_twice_the_speed_is_half_the_code():
    turned, speeds = torch.randn(3, 12, 3), torch.full((3, 12), 8.0)
    code = turn_code(turned, speeds)
    torch.testing.assert_close(turn_code(turned, 2 * speeds), code / 2)
    torch.testing.assert_close(code * torch.tensor(TURN) * 8.0, turned)
    assert torch.equal(mirror_turn(mirror_turn(code)), code)
    assert torch.equal(mirror_turn(code)[..., 1], code[..., 1])


def test_half_of_the_speeds_change_within_the_clip():
    gains = draw_gains(400, 12, generator())
    still = (gains == gains[:, :1]).all(1).float().mean()
    assert 0.4 < still < 0.7
    assert (gains[:, 0] == 1).float().mean() > 0.9
    assert 1.5 < gains.max() <= 2.1


def test_a_code_is_high_only_where_lids_are_shut():
    shut = torch.zeros(200, 24)
    shut[:, 8:14] = torch.tensor([0.3, 0.8, 1.0, 0.9, 0.5, 0.2])
    code = lid_code(shut, generator())
    assert (code[:, 8:14] > SHUTTING).all()
    assert (code[:, :8] <= SHUTTING).all()
    assert (code[:, 10] >= SHUT).all()
    free = lid_code(torch.zeros(200, 24), generator(1))
    assert 0.8 < free.std() < 1.05
    assert free.diff(dim=1).std() < 0.6 * free.std()
