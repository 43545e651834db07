import torch

from emo_people.networks.disturb import cover, disturb


def test_disturbed_pictures_stay_pictures_and_follow_from_the_dice():
    pictures = torch.rand(40, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    one, again = (disturb(pictures, torch.Generator().manual_seed(1)) for _ in range(2))
    assert one.shape == pictures.shape and one.min() >= 0 and one.max() <= 1
    assert (one == again).all()
    same = (one == pictures).flatten(1).all(1)
    assert 1 <= same.sum() <= 8


def test_covered_pictures_show_something_else_in_one_place():
    pictures = torch.zeros(30, 3, 48, 48)
    pictures[1::2] = 1
    changed = (cover(pictures, torch.Generator().manual_seed(0)) - pictures).abs().amax(1) > 0.2
    share = changed.float().mean((1, 2))
    assert (share > 0).all() and 0.05 < share.mean() < 0.8
