import numpy as np
import pytest
import torch

from emo_modules.cues.face import Box
from emo_modules.cues.masks import (
    attention_masks,
    echomimic_region,
    estimate_lips,
    hallo_region,
    mask_levels,
)

FACE, LIPS = Box(60, 40, 260, 300), Box(120, 220, 190, 250)

# What Hallo's own code makes of FACE and LIPS in a 512x512 picture: four levels' sums, and the last level.
HALLO = {
    "full": (
        [716400, 179214, 44788, 11182],
        [
            [102, 58, 34, 66, 146, 219, 249, 255],
            [90, 43, 17, 51, 137, 216, 249, 255],
            [83, 34, 7, 42, 133, 215, 248, 255],
            [91, 45, 19, 53, 139, 217, 249, 255],
            [129, 93, 73, 99, 165, 226, 250, 255],
            [191, 173, 163, 176, 210, 240, 253, 255],
            [237, 232, 229, 233, 242, 251, 255, 255],
            [252, 252, 251, 252, 253, 255, 255, 255],
        ],
    ),
    "face": (
        [263348, 66006, 16464, 4126],
        [
            [153, 197, 221, 189, 109, 36, 6, 0],
            [164, 210, 234, 202, 117, 38, 6, 0],
            [161, 177, 182, 173, 116, 40, 7, 0],
            [131, 79, 42, 86, 95, 38, 6, 0],
            [106, 82, 62, 84, 77, 29, 5, 0],
            [62, 73, 78, 71, 44, 15, 2, 0],
            [18, 23, 26, 22, 13, 4, 0, 0],
            [3, 3, 4, 3, 2, 0, 0, 0],
        ],
    ),
    "lips": (
        [64480, 16150, 4040, 1011],
        [
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 2, 4, 2, 0, 0, 0, 0],
            [11, 44, 66, 39, 7, 0, 0, 0],
            [33, 131, 196, 116, 21, 0, 0, 0],
            [20, 80, 121, 71, 13, 0, 0, 0],
            [2, 9, 14, 8, 1, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
        ],
    ),
}

# The same of two other boxes in a 768x512 picture, one value of every 16 rows and 12 columns.
TALL = Box(150, 220, 360, 520), Box(210, 430, 300, 470)
FULL_TALL = [
    [254, 246, 238, 241, 250],
    [246, 197, 152, 164, 223],
    [235, 128, 29, 55, 186],
    [234, 119, 13, 40, 181],
    [243, 178, 117, 133, 214],
    [253, 239, 229, 232, 247],
]
FACE_TALL = [
    [1, 10, 17, 15, 5],
    [9, 58, 103, 91, 32],
    [20, 125, 213, 191, 69],
    [21, 92, 22, 52, 68],
    [12, 62, 57, 63, 39],
    [2, 16, 26, 23, 8],
]
LIPS_TALL = [
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 2, 13, 9, 0],
    [0, 44, 220, 163, 6],
    [0, 15, 80, 59, 2],
    [0, 0, 0, 0, 0],
]


def in_255ths(mask):
    return (mask * 255).round().int()


@pytest.mark.parametrize("which", range(3), ids=HALLO)
def test_masks_are_those_of_hallo(which):
    sums, coarsest = list(HALLO.values())[which]
    levels = mask_levels(attention_masks(FACE, LIPS, 512, 512)[which])
    assert [in_255ths(level).sum().item() for level in levels] == sums
    assert in_255ths(levels[3]).reshape(8, 8).tolist() == coarsest


def test_masks_of_a_tall_picture_are_those_of_hallo():
    full, face, lips = (in_255ths(mask)[4::16, 4::12] for mask in attention_masks(*TALL, 768, 512))
    assert full.tolist() == FULL_TALL
    assert face.tolist() == FACE_TALL
    assert lips.tolist() == LIPS_TALL


def test_levels_halve_and_round_odd_sides_up():
    masks = attention_masks(FACE, LIPS, 328, 520)
    assert {mask.shape for mask in masks} == {(41, 65)}
    assert [len(level) for level in mask_levels(masks[0])] == [41 * 65, 21 * 33, 11 * 17, 6 * 9]


def test_the_first_level_is_the_mask():
    mask = attention_masks(FACE, LIPS, 512, 512)[1]
    assert torch.equal(mask_levels(mask)[0], mask.flatten())


def test_estimated_lips_lie_in_the_lower_middle_of_the_face():
    lips = estimate_lips(FACE)
    assert lips.centre[0] == pytest.approx(FACE.centre[0]) and FACE.centre[1] < lips.y0 < lips.y1 < FACE.y1
    given, estimated = attention_masks(FACE, lips, 512, 512), attention_masks(FACE, None, 512, 512)
    assert all(torch.equal(a, b) for a, b in zip(given, estimated, strict=True))


def test_a_face_that_fills_the_picture_leaves_no_background():
    full, face, lips = attention_masks(Box(0, 0, 512, 512), None, 512, 512)
    assert full.max() == 0
    assert torch.allclose(face + lips, torch.ones(64, 64))


def test_hallo_region_is_the_box_enlarged_by_a_fifth():
    region = hallo_region(FACE, 512, 400)
    expected = np.zeros((3, 512, 400))
    expected[:, 14:326, 40:280] = 1
    assert np.array_equal(region.numpy(), expected)


@pytest.mark.parametrize(
    ("face", "rows", "columns"),
    [
        (Box(5, 5, 105, 105), (0, 120), (0, 120)),
        (Box(300, 200, 400, 300), (136, 256), (264, 384)),
        (Box(10, 10, 380, 250), (0, 256), (0, 384)),
    ],
    ids=["top left", "bottom right", "larger than the picture"],
)
def test_hallo_region_is_moved_into_the_picture(face, rows, columns):
    mask = hallo_region(face, 256, 384)[0]
    inside = mask.nonzero()
    assert inside.amin(dim=0).tolist() == [rows[0], columns[0]]
    assert (inside.amax(dim=0) + 1).tolist() == [rows[1], columns[1]]
    assert mask.sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])


def test_echomimic_region_is_dilated_by_a_tenth_on_every_side_and_cut_off():
    region = echomimic_region(Box(2.4, 100.6, 102.4, 150.6), 160, 256)
    expected = np.zeros((1, 160, 256))
    expected[:, 96:156, :112] = 1
    assert np.array_equal(region.numpy(), expected)


def test_a_box_outside_leaves_echomimics_region_empty():
    assert echomimic_region(Box(-90, -90, -40, -40), 64, 64).sum() == 0
    assert echomimic_region(Box(200, 200, 250, 250), 64, 64).sum() == 0
