"""Each family's picture of where the face is, from a box, a mesh or a mask, at any size."""

import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.cues.face import box_around
from emo_modules.cues.landmarks import draw_kps, face_box, kps_of, lips_box
from emo_modules.cues.locator import FACE_MARGIN
from emo_modules.cues.masks import attention_masks, echomimic_region, hallo_region, mask_levels
from emo_modules.families.table import face_cues, mask_cues
from emo_modules.models.relatives.regions import REGIONS, Regions

from ..relatives import RELEASED

HEIGHT, WIDTH = 192, 128
FACE = Box(34, 50, 94, 130)
FAMILIES = ["emo", "hallo", "echomimic", "v_express"]


def config(family: str) -> EMOConfig:
    return EMOConfig.sd15() if family == "emo" else RELEASED[family].config


@pytest.fixture
def mesh() -> Tensor:
    """478 points around the middle of the picture."""
    generator = torch.Generator().manual_seed(0)
    return torch.tensor([64.0, 90.0]) + 20 * torch.rand(478, 2, generator=generator)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(192, 128), (64, 64), (72, 104)])
def test_the_picture_has_the_portraits_size_and_the_locators_channels(family, size):
    height, width = size
    cues = face_cues(config(family), Box(20, 20, 50, 55), height, width)
    assert cues.picture.shape == (1, config(family).quirks.locator_inputs, height, width)
    assert (cues.picture.min(), cues.picture.max()) == (0, 1)
    assert (cues.regions is None) == (family != "hallo")


def test_emo_takes_the_box_with_a_margin():
    picture = face_cues(config("emo"), FACE, HEIGHT, WIDTH).picture[0, 0]
    rows, columns = picture.any(1).nonzero()[:, 0], picture.any(0).nonzero()[:, 0]
    larger = FACE.scaled(FACE_MARGIN)
    assert (rows[0], rows[-1] + 1) == (round(larger.y0), round(larger.y1))
    assert (columns[0], columns[-1] + 1) == (round(larger.x0), round(larger.x1))


def test_relatives_take_the_box_as_their_originals_do():
    assert torch.equal(
        face_cues(config("echomimic"), FACE, HEIGHT, WIDTH).picture[0], echomimic_region(FACE, HEIGHT, WIDTH)
    )
    assert torch.equal(
        face_cues(config("hallo"), FACE, HEIGHT, WIDTH).picture[0], hallo_region(FACE, HEIGHT, WIDTH)
    )


@pytest.mark.parametrize("name", ["echomimic_pose", "echomimic_pose_acc"])
def test_landmark_weights_have_no_picture_of_the_whole_video(name, mesh):
    assert face_cues(config(name), FACE, HEIGHT, WIDTH) == (None, None)
    assert face_cues(config(name), FACE, HEIGHT, WIDTH, mesh) == (None, None)
    assert mask_cues(config(name), torch.ones(HEIGHT, WIDTH)) == (None, None)


def tokens(at: Regions, k: int) -> Tensor:
    """The mask of region k with its zeros."""
    count = max(int(part.places.max()) for part in at.parts) + 1
    return torch.zeros(count, 1).index_copy(0, at.parts[k].places, at.parts[k].mask)[:, 0]


def test_hallos_regions_are_its_masks_at_the_unets_four_resolutions():
    regions = face_cues(config("hallo"), FACE, HEIGHT, WIDTH).regions
    assert list(regions) == [24 * 16, 12 * 8, 6 * 4, 3 * 2]
    masks = attention_masks(FACE, None, HEIGHT, WIDTH)
    for k, name in enumerate(REGIONS):
        for (count, at), level in zip(regions.items(), mask_levels(masks[k]), strict=True):
            assert len(level) == count
            assert torch.equal(tokens(at, k), level[: len(tokens(at, k))]), name
            assert len(at.parts[k].places) == (level > 0).sum()
    assert {at.weights for at in regions.values()} == {(1.0, 1.0, 1.0)}


def test_sides_that_halve_unevenly_are_rounded_up_as_in_the_unet():
    assert list(face_cues(config("hallo"), FACE, 200, 104).regions) == [25 * 13, 13 * 7, 7 * 4, 4 * 2]


def test_lips_lie_inside_the_face():
    at = face_cues(config("hallo"), FACE, HEIGHT, WIDTH).regions[24 * 16]
    lips = tokens(at, REGIONS.index("lip")).argmax()
    row, column = divmod(int(lips), 16)
    assert FACE.y0 + 0.6 * FACE.height < 8 * row + 4 < FACE.y1
    assert abs(8 * column + 4 - FACE.centre[0]) < 8


def test_a_mesh_is_followed_more_closely_than_the_box(mesh):
    box, lips = face_box(mesh), lips_box(mesh)
    hallo = face_cues(config("hallo"), FACE, HEIGHT, WIDTH, mesh)
    assert torch.equal(hallo.picture[0], hallo_region(box, HEIGHT, WIDTH))
    expected = attention_masks(box, lips, HEIGHT, WIDTH)[2].flatten()
    found = tokens(hallo.regions[24 * 16], 2)
    assert torch.equal(found, expected[: len(found)])
    echomimic = face_cues(config("echomimic"), FACE, HEIGHT, WIDTH, mesh)
    assert torch.equal(echomimic.picture[0], echomimic_region(box, HEIGHT, WIDTH))
    v_express = face_cues(config("v_express"), FACE, HEIGHT, WIDTH, mesh)
    assert torch.equal(v_express.picture[0], draw_kps(kps_of(mesh), HEIGHT, WIDTH))
    assert not torch.equal(v_express.picture, face_cues(config("v_express"), FACE, HEIGHT, WIDTH).picture)


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_a_mask_stands_for_the_box_around_it(family):
    """Painted over the face with the margin that EMO's masks have."""
    face = Box(30, 50, 80, 100)
    drawn = face.scaled(FACE_MARGIN)
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[int(drawn.y0) : int(drawn.y1) + 1, int(drawn.x0) : int(drawn.x1) + 1] = 1
    around = box_around(mask).scaled(1 / FACE_MARGIN)
    found, expected = (mask_cues(config(family), mask), face_cues(config(family), around, HEIGHT, WIDTH))
    assert torch.equal(found.picture, expected.picture)
    assert abs(around.x0 - face.x0) < 1
    assert abs(around.y1 - face.y1) < 1


def test_emo_takes_a_drawn_mask_as_it_is():
    mask = torch.rand(HEIGHT, WIDTH)
    assert torch.equal(mask_cues(config("emo"), mask).picture[0, 0], mask)


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_an_empty_mask_is_the_whole_picture(family):
    empty, full = (mask_cues(config(family), value * torch.ones(64, 96)) for value in (0, 1))
    assert torch.equal(empty.picture, full.picture)
    assert empty.picture.any()
