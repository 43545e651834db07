"""Views of clips: pictures, displacements, points and boxes change together, and faces stay in sight."""

import torch
from torch.nn import functional

from emo_modules.models.moving import move
from emo_people.recipe.views import LARGEST, draw_views

BOXES = torch.tensor([[0.1, 0.2, 0.6, 0.8], [0.35, 0.3, 0.65, 0.7]]).repeat(40, 1)


def drawn():
    return draw_views(BOXES, torch.Generator().manual_seed(0))


def soft_pictures(count: int) -> torch.Tensor:
    small = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return functional.interpolate(small, (64, 64), mode="bicubic")


def test_a_displacement_leads_to_the_same_place_in_the_views():
    views, portraits = drawn(), soft_pictures(len(BOXES))
    fields = torch.linspace(-0.04, 0.04, 16)[None, None, :, None].expand(len(BOXES), 2, 16, 16)
    frames = move(portraits, fields)
    seen, truth = views.pictures(portraits[:, None])[:, 0], views.pictures(frames[:, None])
    moved = move(seen, views.displacements(fields[:, None]).flatten(0, 1))
    inside = (..., slice(10, -10), slice(10, -10))
    assert (moved - truth[:, 0])[inside].abs().mean() < 0.01
    assert (seen - truth[:, 0])[inside].abs().mean() > 0.015


def test_points_stay_on_what_they_mark():
    views = drawn()
    marks = torch.zeros(len(BOXES), 1, 1, 64, 64)
    marks[:, 0, 0, 30:33, 20:23] = 1  # around 31.5, 21.5
    seen = views.pictures(marks)[:, 0, 0]
    rows, columns = (torch.arange(64.0) + 0.5 for _ in range(2))
    weight = seen.sum((1, 2))
    found = torch.stack([(seen.sum(1) * columns).sum(1), (seen.sum(2) * rows).sum(1)], 1) / weight[:, None]
    told = views.points(torch.tensor([21.5, 31.5]).div(64).expand(len(BOXES), 1, 2))[:, 0] * 64
    whole = ((told > 4) & (told < 60)).all(1)
    assert whole.float().mean() > 0.6
    assert (found - told)[whole].abs().max() < 0.3


def test_faces_stay_in_sight_in_views_of_many_kinds():
    views = drawn()
    boxes = views.boxes(BOXES)
    sides, middles = boxes[:, 2:] - boxes[:, :2], boxes.unflatten(1, (2, 2)).mean(1)
    assert (sides <= 1.15 * LARGEST).all()
    assert sides.std() > 0.05
    assert ((middles > 0.2) & (middles < 0.8)).all()
    assert 0.3 < views.mirrored.float().mean() < 0.7
    whole = (views.matrices.abs() - torch.eye(2)).abs().amax((1, 2)) < 1e-6
    assert 0.15 < whole.float().mean() < 0.45
