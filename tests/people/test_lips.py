import math

import torch

from emo_people.networks.lips import colour_lips, lip_mask


def mouths(*openings: float) -> torch.Tensor:
    """Elliptic mouths (N, 20, 2), 1.2 wide outside and 0.8 inside, whose inner lips are so far apart."""
    turns = [2 * math.pi * torch.arange(count) / count for count in (12, 8)]
    rows = []
    for opening in openings:
        sizes = ((0.6, 0.3 + opening / 2), (0.4, opening / 2))
        contours = [
            torch.stack([-x * turn.cos(), -y * turn.sin()], 1)
            for turn, (x, y) in zip(turns, sizes, strict=True)
        ]
        rows.append(torch.cat(contours))
    return torch.stack(rows)


def test_lips_are_what_lies_between_the_contours():
    closed, open_ = lip_mask(mouths(0.0, 0.5), 81)
    assert closed[40, 40] == 1 and open_[40, 40] == 0
    for mask in (closed, open_):
        assert mask[:, 40].sum() / 81 * 2 > 0.5 and mask[0].sum() == 0 and mask[:, 0].sum() == 0
    outside, inside = 12 / 2 * math.sin(math.pi / 6), 8 / 2 * math.sin(math.pi / 4)  # of a circle's polygon
    area = outside * 0.6 * 0.55 - inside * 0.4 * 0.25
    assert abs(open_.mean() * 4 - area) < 0.02


def test_only_the_lips_change_their_colour():
    pictures = torch.full((8, 3, 80, 80), 0.5)
    places = mouths(*[0.3] * 8)
    coloured = colour_lips(pictures, places, torch.Generator().manual_seed(0))
    changed = (coloured - pictures).abs().amax(1)
    lips = lip_mask(places, 80)
    near = torch.nn.functional.max_pool2d(lips[:, None], 3, 1, 1)[:, 0]
    assert (changed[near == 0] == 0).all() and changed[lips == 1].mean() > 0.1
    assert coloured.min() >= 0 and coloured.max() <= 1
