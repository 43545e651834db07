import math

import numpy as np
import pytest
import torch

from emo_modules.cues.face import Box
from emo_modules.cues.landmarks import (
    draw_kps,
    draw_landmarks,
    estimate_kps,
    face_box,
    kps_of,
    lips_box,
    mediapipe_points,
    outline,
)

KPS = torch.tensor([[10.6, 8.2], [30.3, 11.9], [18.5, 24.7]])

# V-Express's own drawing of KPS at 40x32: dots R, G, B and the sticks r, g.
KPS_DRAWN = """
........................................
........................................
........................................
........................................
..........R.............................
........RRRRR...........................
.......RRRRRRR..........................
.......RRRRRRR................G.........
......RRRRRRRRR.............GGGGG.......
.......RRRRRRRr............GGGGGGG......
.......RRRRRRRrr...........GGGGGGG......
........RRRRRrrrr.........GGGGGGGGG.....
.........rRrrrrrrr.......ggGGGGGGG......
.........rrrrrrrrr.....ggggGGGGGGG......
.........rrrrrrrrrr...ggggggGGGGG.......
.........rrrrrrrrrr..gggggggggG.........
..........rrrrrrrrr.ggggggggggg.........
..........rrrrrrrrrgggggggggggg.........
..........rrrrrrrrrggggggggggg..........
...........rrrrrrrgggggggggggg..........
...........rrrrrrrBgggggggggg...........
............rrrrBBBBBggggggg............
.............rrBBBBBBBggggg.............
..............rBBBBBBBgggg..............
..............BBBBBBBBBg................
...............BBBBBBB..................
...............BBBBBBB..................
................BBBBB...................
..................B.....................
........................................
........................................
........................................
"""
KPS_COLOURS = {
    ".": (0, 0, 0),
    "r": (153, 0, 0),
    "g": (0, 153, 0),
    "R": (255, 0, 0),
    "G": (0, 255, 0),
    "B": (0, 0, 255),
}

# EchoMimic's own drawing of the eye that eye_mesh has, from column 84 and row 52 on: its lines and the pupil.
EYE_DRAWN = """
..................................
..........#############...........
........#################.........
.....#######################......
....######.............######.....
..######.....oooooo......######...
..####.......oooooo........####...
..###........oooooo.........###...
.###.........oooooo..........###..
..###........oooooo.........###...
..####.......oooooo........####...
..######.................######...
....######.............######.....
.....#######################......
........#################.........
..........#############...........
..................................
..................................
"""
EYE_COLOURS = {".": (0, 0, 0), "#": (10, 200, 180), "o": (10, 200, 250)}


def picture(drawing, colours):
    """(3, H, W), whole numbers."""
    pixels = [[colours[letter] for letter in row] for row in drawing.split()]
    return torch.tensor(pixels).movedim(-1, 0)


def agreement(drawn, expected):
    """Share of equal pixels, and intersection over union of what is not black."""
    drawn = (drawn * 255).round().int()
    equal = (drawn == expected).all(dim=0).float().mean()
    ours, theirs = drawn.any(dim=0), expected.any(dim=0)
    return equal.item(), ((ours & theirs).sum() / (ours | theirs).sum()).item()


def eye_mesh(count=478):
    """Only the right eye and its pupil are inside the picture."""
    points = torch.full((count, 2), -5.0, dtype=torch.float64)
    lower = (33, 7, 163, 144, 145, 153, 154, 155, 133)
    upper = (33, 246, 161, 160, 159, 158, 157, 173, 133)
    for chain, sign in ((lower, 1), (upper, -1)):
        for step, index in enumerate(chain):
            angle = math.pi * step / 8
            x, y = 100.5 - 14 * math.cos(angle), 60.5 + sign * 6 * math.sin(angle)
            points[index] = torch.tensor([x, y], dtype=torch.float64)
    if count > 468:
        points[468] = 100.5
        points[468, 1] = 60.5
    return points


def test_kps_are_drawn_as_by_v_express():
    equal, overlap = agreement(draw_kps(KPS, 32, 40), picture(KPS_DRAWN, KPS_COLOURS))
    assert equal > 0.995 and overlap > 0.98


def test_kps_outside_the_picture_are_cut_off():
    drawn = draw_kps(KPS - torch.tensor([12.0, 10.0]), 16, 20)
    assert agreement(drawn, picture(KPS_DRAWN, KPS_COLOURS)[:, 10:26, 12:32])[0] > 0.98
    assert draw_kps(KPS + 500, 32, 40).sum() == 0


def test_estimated_kps_are_a_frontal_face():
    left, right, nose = estimate_kps(Box(100, 50, 200, 150)).tolist()
    assert left == pytest.approx([130, 95]) and right == pytest.approx([170, 95])
    assert nose == pytest.approx([150, 114])


def test_the_mesh_is_drawn_as_by_echomimic():
    drawn = draw_landmarks(eye_mesh(), 512, 512)
    equal, overlap = agreement(drawn[:, 52:70, 84:118], picture(EYE_DRAWN, EYE_COLOURS))
    assert equal > 0.99 and overlap > 0.98
    drawn[:, 52:70, 84:118] = 0
    assert drawn.sum() == 0


def test_a_mesh_without_irises_has_no_pupil():
    colours = (draw_landmarks(eye_mesh(468), 512, 512) * 255).round().int().flatten(1).unique(dim=1)
    assert colours.T.tolist() == [[0, 0, 0], [10, 200, 180]]


def test_the_mesh_is_stretched_to_the_pictures_size():
    size = torch.tensor([384 / 512, 640 / 512])
    large = draw_landmarks(eye_mesh(), 512, 512)
    small = draw_landmarks(eye_mesh() * size, 640, 384)
    assert small.shape == (3, 640, 384)
    shrunk = torch.nn.functional.interpolate(large[None], size=(640, 384), mode="bilinear")[0]
    assert (small - shrunk).abs().max() < 1 / 255


def test_eyebrows_and_nose_have_their_colours():
    points = torch.full((478, 2), -5.0)
    for index, place in {334: (300, 100), 296: (330, 100), 105: (100, 100), 66: (130, 100)}.items():
        points[index] = torch.tensor(place)
    points[4] = torch.tensor([200, 200])
    drawn = (draw_landmarks(points, 512, 512) * 255).round().int()
    assert drawn[:, 100, 315].tolist() == [180, 220, 10]
    assert drawn[:, 100, 115].tolist() == [10, 220, 180]
    assert drawn[:, 197:203, 197:203].unique(dim=1).shape[1] == 1 and drawn[:, 200, 200].tolist() == [200] * 3
    assert drawn[:, 196].sum() == drawn[:, 203].sum() == 0


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="468 or more points is needed, got 68"):
        draw_landmarks(torch.zeros(68, 2), 512, 512)


def test_boxes_and_kps_of_a_mesh():
    points = torch.full((478, 2), 50.0)
    for index, place in {10: (50, 10), 152: (52, 95), 234: (20, 48), 454: (81, 49)}.items():
        points[index] = torch.tensor(place)
    for index, place in {61: (40, 75), 291: (61, 76), 0: (50, 70), 17: (50, 82)}.items():
        points[index] = torch.tensor(place)
    for index, place in {33: (30, 40), 133: (40, 42), 362: (60, 41), 263: (72, 39), 4: (49, 55)}.items():
        points[index] = torch.tensor(place)
    assert face_box(points) == Box(20, 10, 81, 95)
    assert lips_box(points).x0 == 40 and lips_box(points).y1 == 82
    assert kps_of(points).tolist() == [[35, 41], [66, 40], [49, 55]]


def test_lips_and_kps_of_68_points():
    points = torch.full((68, 2), 50.0)
    for index, place in {48: (40, 75), 54: (61, 76), 51: (50, 70), 57: (50, 82)}.items():
        points[index] = torch.tensor(place)
    for index, place in {36: (30, 40), 39: (40, 42), 42: (60, 41), 45: (72, 39), 30: (49, 55)}.items():
        points[index] = torch.tensor(place)
    points[49:60, 1] = points[49:60, 1].clamp(min=70)
    assert lips_box(points) == Box(40, 70, 61, 82)
    assert kps_of(points).tolist() == [[35, 41], [66, 40], [49, 55]]


def test_only_a_mesh_reaches_to_the_hairline():
    box, mesh = Box(1, 2, 3, 4), torch.rand(478, 2)
    assert outline(box, None) == outline(box, torch.rand(68, 2)) == box
    assert outline(box, mesh) == face_box(mesh)


def face(box, offset):
    points = np.arange(478 * 2, dtype=np.float32).reshape(478, 2) + offset
    return {"bbox_xyxy": np.array(box, dtype=np.float32), "landmarks_xy": points}


def test_points_of_comfyuis_landmarks_largest_face_first():
    small, large = face([0, 0, 10, 10], 1), face([5, 5, 50, 60], 2)
    landmarks = {"frames": [[], [small, large]], "image_size": (64, 64)}
    assert np.array_equal(mediapipe_points(landmarks, frame=1), large["landmarks_xy"])
    assert np.array_equal(mediapipe_points(landmarks, frame=1, index=1), small["landmarks_xy"])
    with pytest.raises(ValueError, match="frame 0 of the landmarks has 0 faces"):
        mediapipe_points(landmarks)
    with pytest.raises(ValueError, match="frame 2 are needed, but there are 2 frames"):
        mediapipe_points(landmarks, frame=2)
