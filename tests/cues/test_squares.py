import math

import pytest
import torch

from emo_modules.cues.squares import FACE_MM, Squares, around_boxes, around_five, around_points, cut

FIVE = torch.tensor([[[-31.0, 0], [31, 0], [0, 40], [-25, 68], [25, 68]]])


def squares_of(*rows: tuple[float, float, float, float]) -> Squares:
    """From rows of x, y, side and degrees."""
    x, y, sides, angles = torch.tensor(rows).T
    return Squares(torch.stack([x, y], 1), sides, angles.deg2rad())


def turned(points: torch.Tensor, degrees: float) -> torch.Tensor:
    """Clockwise as a viewer sees it, about the picture's corner."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points @ torch.tensor([[cos, sin], [-sin, cos]])


def test_there_and_back_again():
    squares = squares_of((100, 50, 40, 30), (-3, 8, 250, -120))
    places = torch.rand(2, 9, 2) * 2 - 1
    assert torch.allclose(squares.to_square(squares.to_picture(places)), places, atol=1e-5)


def test_the_right_edge_of_a_square_turned_clockwise_points_down():
    squares = squares_of((100, 50, 40, 90))
    (right,) = squares.to_picture(torch.tensor([[[1.0, 0.0]]]))[0].tolist()
    assert right == pytest.approx([100, 70], abs=1e-4)


@pytest.mark.parametrize("degrees", [0, 25, -60, 90, 180])
def test_five_points_tell_place_size_and_turn(degrees):
    square = around_five(2 * turned(FIVE, degrees) + torch.tensor([300.0, 200.0]))
    assert square.sides[0].item() == pytest.approx(2 * FACE_MM)
    assert math.remainder(square.angles[0].item() - math.radians(degrees), math.tau) == pytest.approx(
        0, abs=1e-4
    )
    upright = 2 * turned(around_five(FIVE).centres, degrees) + torch.tensor([300.0, 200.0])
    assert torch.allclose(square.centres, upright, atol=1e-3)


def test_a_face_from_the_side_or_from_above_keeps_its_size():
    aside, below = torch.tensor([0.4, 1.0]), torch.tensor([1.0, 0.6])
    for squeezed in (FIVE * aside, FIVE * below):
        assert around_five(squeezed).sides[0].item() == pytest.approx(FACE_MM)


def test_points_in_one_place_make_a_square_that_can_be_cut():
    square = around_five(torch.full((1, 5, 2), 7.0))
    assert cut(torch.rand(1, 3, 20, 20), square, 8).isfinite().all()


def test_landmarks_and_boxes_lead_to_about_the_same_square():
    """The box of that face is 150 wide and 185 high."""
    points = torch.zeros(1, 68, 2)
    points[:, 36:42], points[:, 42:48] = FIVE[:, :1], FIVE[:, 1:2]
    points[:, 30], points[:, 48], points[:, 54] = FIVE[:, 2], FIVE[:, 3], FIVE[:, 4]
    by_points, by_box = around_points(points), around_boxes(torch.tensor([[-75.0, -52, 75, 133]]))
    assert (by_points.centres - by_box.centres).norm() < 0.02 * FACE_MM
    assert by_box.sides[0].item() == pytest.approx(by_points.sides[0].item(), rel=0.02)


def test_a_cut_shows_what_lies_in_the_square():
    picture = torch.zeros(1, 1, 60, 80)
    picture[..., 20:30, 40:60] = 1  # 20 px wide, 10 high, its middle at (50, 25)
    upright, on_its_side = cut(picture, squares_of((50, 25, 20, 0), (50, 25, 20, 90)), 20)[:, 0]
    rows = torch.zeros(20, 20)
    rows[5:15] = 1
    assert torch.allclose(upright, rows, atol=1e-4)
    assert torch.allclose(on_its_side, rows.T, atol=1e-4)


def test_a_cut_repeats_the_edge_outside_the_picture():
    picture = torch.rand(1, 3, 10, 10)
    assert torch.allclose(
        cut(picture, squares_of((-100, -100, 6, 0)), 4), picture[..., :1, :1].expand(1, 3, 4, 4)
    )
