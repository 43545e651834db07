import logging

import numpy as np
import pytest
import torch
from skimage import data

from emo_modules.config import Framing
from emo_modules.cues.box import Box, iou
from emo_modules.cues.detect import detect_faces, without_repeats
from emo_modules.cues.face import (
    Face,
    box_around,
    crop_box,
    crop_to_face,
    find_face,
    region_mask,
)
from emo_modules.cues.paste import paste_back
from emo_people.recipe.config import FRAMING

ASTRONAUT_FACE = Box(170, 62, 278, 170)  # brows to chin, set by hand
TIGHT = Framing(0.62, 0.58, 0.66, (0.5, 0.515), (0.04, 0.025))


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


def smooth(height, width):
    """A picture without fine detail, (H, W, 3) in 0..1, different at every pixel."""
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width)[None].expand(height, width)
    return torch.stack([x, y, (x + y) / 2], dim=-1)


def close(box, other, tolerance=1e-6):
    pairs = zip((box.x0, box.y0, box.x1, box.y1), (other.x0, other.y0, other.x1, other.y1), strict=True)
    return all(abs(a - b) <= tolerance for a, b in pairs)


def drawn(box):
    return Face(box, "drawn")


def test_box_arithmetic():
    box = Box(10, 20, 30, 60)
    assert (box.width, box.height, box.area, box.centre) == (20, 40, 800, (20, 40))
    assert box.scaled(0.5) == Box(15, 30, 25, 50)
    assert box.clipped(25, 40) == Box(10, 20, 25, 40)
    assert box.clipped(5, 5).area == 0
    assert box.iou(box) == 1 and box.iou(Box(100, 100, 110, 110)) == 0
    assert box.iou(Box(20, 20, 40, 60)) == pytest.approx(1 / 3)


def test_overlaps_of_many_boxes_with_one():
    boxes = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [2, 2, 0, 0], [0, 0, 0, 2]])
    assert iou(boxes, boxes[0]).tolist() == pytest.approx([1, 1 / 3, 0, 0, 0])


def test_the_astronaut_is_found_as_bytes_and_as_floats(astronaut):
    faces = detect_faces(astronaut)
    assert len(faces) == 1 and faces[0].iou(ASTRONAUT_FACE) > 0.7
    floats = detect_faces(torch.from_numpy(astronaut).float() / 255)
    assert close(floats[0], faces[0], tolerance=1.0), "bytes are made smaller as bytes"


def test_boxes_of_a_large_picture_are_in_its_own_pixels(astronaut):
    doubled = astronaut.repeat(2, axis=0).repeat(2, axis=1)
    face = detect_faces(doubled)[0]
    assert face.mapped(0, 0, 0.5, 0.5).iou(ASTRONAUT_FACE) > 0.7


def test_of_two_faces_the_largest_is_first_and_the_other_can_be_chosen(astronaut):
    small = astronaut[::2, ::2]
    board = np.full((512, 768, 3), 128, np.uint8)
    board[128:384, :256] = small
    board[:, 256:] = astronaut
    faces = detect_faces(board)
    assert len(faces) == 2 and faces[0].area > 3 * faces[1].area
    assert find_face(board).box.iou(ASTRONAUT_FACE.mapped(256, 0, 1, 1)) > 0.5
    assert find_face(board, index=1).box.iou(ASTRONAUT_FACE.mapped(0, 256, 0.5, 0.5)) > 0.5
    for index in (2, -1):
        with pytest.raises(ValueError, match=rf"face index {index}, but found 2: give 0 \(largest\) to 1"):
            find_face(board, index=index)


def test_a_box_inside_a_larger_one_is_the_same_face_again():
    large, inside, apart = Box(0, 0, 100, 100), Box(40, 40, 90, 90), Box(90, 0, 150, 60)
    assert without_repeats([inside, apart, large]) == [large, apart]
    assert without_repeats([Box(-40, 0, 30, 60), large]) == [large, Box(-40, 0, 30, 60)]
    assert without_repeats([large, large]) == [large]


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (23, 40), (24, 24), (37, 501), (333, 25)])
def test_detection_survives_any_size(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert detect_faces(noise) == []


def test_without_a_face_the_whole_picture_is_used_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        face = find_face(smooth(90, 120), index=3)
    assert (face.box, face.found) == (Box(0, 0, 120, 90), False)
    assert "no face found in the 120x90 picture" in caplog.text


def test_the_users_box_comes_before_the_mask_and_the_mask_before_detection(astronaut):
    mask = torch.zeros(512, 512)
    mask[300:400, 200:280] = 1
    own = Box(5, 6, 50, 70)
    masked, given = Face(Box(200, 300, 280, 400), "mask"), Box(1, 2, 30, 40)
    assert find_face(astronaut, box=own, mask=mask, given=lambda: given) == drawn(own)
    assert find_face(astronaut, mask=mask, given=lambda: given) == masked
    assert find_face(astronaut, mask=mask[::2, ::2]) == masked
    assert find_face(astronaut, given=lambda: given) == Face(given, "given")
    assert find_face(astronaut).source == "detected"
    assert find_face(astronaut, box=Box(-20, 500, 40, 600)).box == Box(0, 500, 40, 512)
    with pytest.raises(ValueError, match="box 600, 600, 700, 700 has no area inside the 512x512 picture"):
        find_face(astronaut, box=Box(600, 600, 700, 700))


def test_an_empty_mask_falls_back_to_detection(astronaut, caplog):
    assert find_face(astronaut, mask=torch.zeros(64, 64)).box.iou(ASTRONAUT_FACE) > 0.5
    assert "mask (64, 64) is empty" in caplog.text


def test_the_mask_of_a_cut_out_is_left_aside_and_it_is_said(astronaut, caplog):
    background = torch.ones(512, 512)
    background[30:512, 60:400] = 0  # the person, down to the lower edge
    for mask in (background, torch.ones(64, 64)):
        caplog.clear()
        face = find_face(astronaut, mask=mask)
        assert face.source == "detected" and face.box.iou(ASTRONAUT_FACE) > 0.5
        assert "white along the picture's edges" in caplog.text


def test_the_box_around_a_mask_is_tight():
    mask = torch.zeros(20, 30)
    mask[4, 7] = mask[9, 12] = 1
    assert box_around(mask) == Box(7, 4, 13, 10)
    assert box_around(torch.full((20, 30), 0.5)) is None


def test_region_mask_is_the_union_of_the_boxes():
    mask = region_mask([Box(2, 3, 6, 8), Box(4, 5, 9, 10), Box(-5, -5, 1, 1)], 12, 16)
    assert mask.shape == (1, 12, 16)
    assert mask.sum() == 20 + 25 - 6 + 1
    assert mask[0, 3, 2] == 1 and mask[0, 9, 8] == 1 and mask[0, 3, 8] == 0
    assert region_mask([], 4, 4).sum() == 0


@pytest.mark.parametrize(("width", "height"), [(128, 128), (96, 128), (512, 704), (160, 90)])
def test_crop_keeps_proportions_and_centres_the_face(width, height):
    face = Box(400, 300, 500, 400)
    picture, crop, inside = crop_to_face(smooth(800, 1000), drawn(face), width, height)
    assert picture.shape == (3, height, width) and picture.min() >= 0 and picture.max() <= 1
    assert crop.box.width / crop.box.height == pytest.approx(width / height, rel=0.01)
    fraction = 0.58 if height >= width else 0.9 * height / width
    assert inside.width / width == pytest.approx(fraction, rel=0.01)
    assert inside.width / inside.height == pytest.approx(1, rel=0.02)
    x, y = inside.centre
    assert abs(x - width / 2) <= 1.5 * width / crop.box.width
    assert abs(y - height / 2) <= 1.5 * height / crop.box.height


def test_crop_shows_the_right_pixels():
    picture = smooth(100, 100)
    cut, crop, inside = crop_to_face(picture, drawn(Box(40, 40, 69, 69)), 50, 50)
    assert crop.box == Box(30, 30, 80, 80) and inside == Box(10, 10, 39, 39)
    assert torch.equal(cut, picture[30:80, 30:80].movedim(-1, 0))


def test_crop_is_shifted_before_it_is_padded():
    _, crop, inside = crop_to_face(smooth(200, 200), drawn(Box(0, 120, 58, 178)), 64, 64)
    assert crop.box == Box(0, 99, 100, 199)
    assert inside.x0 == 0
    _, crop, _ = crop_to_face(smooth(200, 200), drawn(Box(130, 150, 188, 200)), 64, 64)
    assert crop.box == Box(100, 100, 200, 200)


def test_a_tight_portrait_is_kept_whole_and_only_proportions_are_padded():
    _, crop, inside = crop_to_face(smooth(128, 128), drawn(Box(10, 10, 120, 120)), 64, 64)
    assert crop.box == Box(0, 0, 128, 128) and inside == Box(5, 5, 60, 60)
    picture = smooth(60, 60)
    cut, crop, _ = crop_to_face(picture, drawn(Box(0, 0, 60, 60)), 60, 80)
    assert crop.box == Box(0, -10, 60, 70)
    assert torch.equal(cut[:, 10:70], picture.movedim(-1, 0))
    assert torch.equal(cut[:, :10], picture[:1].movedim(-1, 0).expand(3, 10, 60))


def test_a_face_that_stands_as_in_training_keeps_the_picture_whole():
    for width in (72, 80, 86):  # of 128, found 5 % too small or too large at the ends
        face = Box(64 - width / 2, 26, 64 + width / 2, 26 + width)
        _, crop, inside = crop_to_face(smooth(128, 128), drawn(face), 64, 64, TIGHT)
        assert crop.box == Box(0, 0, 128, 128) and inside == face.mapped(0, 0, 0.5, 0.5)


@pytest.mark.parametrize(
    "face", [Box(20, 30, 60, 70), Box(40, 20, 140, 130), Box(-5, 40, 75, 110), Box(100, 120, 128, 150)]
)
def test_any_other_face_is_brought_to_the_framing_of_training(face):
    cut, crop, inside = crop_to_face(smooth(128, 128), drawn(face), 128, 128, TIGHT)
    assert cut.shape == (3, 128, 128)
    assert crop.box.width == pytest.approx(crop.box.height, abs=1)
    assert inside.width / 128 == pytest.approx(TIGHT.face, abs=0.015)
    for centre, wanted, drift in zip(inside.centre, TIGHT.centre, TIGHT.drift, strict=True):
        assert abs(centre / 128 - wanted) <= drift + 0.04


@pytest.mark.parametrize(
    ("framing", "picture", "face", "side"),
    [
        (FRAMING, (1000, 1000), (840, 700), 1000),  # within 5 % of the largest: whole
        (FRAMING, (1000, 1000), (900, 700), 1155),  # to 0.779, where the smaller ones' 0.5 took 1800
        (FRAMING, (1000, 1000), (700, 950), 1056),  # wide enough, and 0.9 of the height
        (FRAMING, (1000, 1000), (250, 300), 500),  # smaller: to 0.5, as most were in training
        (FRAMING, (1000, 1000), (440, 540), 880),  # lips that hardly move are worse than a little less room
        (TIGHT, (1000, 1000), (800, 700), 1276),  # to 0.627
        (Framing(), (1600, 900), (700, 855), 950),
        (Framing(), (1000, 1000), (1200, 1200), 1000),  # as large as the picture at most
    ],
)
def test_a_face_gets_no_more_room_than_training_asks_for(framing, picture, face, side):
    (width, height), (x, y) = picture, (picture[0] / 2, picture[1] / 2)
    box = Box(x - face[0] / 2, y - face[1] / 2, x + face[0] / 2, y + face[1] / 2)
    crop = crop_box(drawn(box), width, height, 1.0, framing)
    assert (crop.width, crop.height) == (side, side)


def test_a_larger_face_repeats_little_of_the_edge():
    picture = smooth(100, 100)
    cut, crop, inside = crop_to_face(picture, drawn(Box(5, 10, 95, 90)), 116, 116, FRAMING)
    assert crop.box == Box(-8, -8, 108, 108)
    assert inside.width / 116 == pytest.approx(FRAMING.most * 0.95, abs=0.005)
    assert torch.equal(cut[:, 8:108, 8:108], picture.movedim(-1, 0))


def test_without_a_face_the_mask_is_where_faces_mostly_were():
    nothing = Face(Box(0, 0, 100, 60), "none")
    _, crop, inside = crop_to_face(smooth(60, 100), nothing, 128, 128, TIGHT)
    assert crop.box == Box(0, -20, 100, 80)
    assert inside.width == pytest.approx(0.62 * 128)
    assert inside.centre == pytest.approx((64, 0.515 * 128))


def test_impossible_framings_are_refused():
    for least, face, most in ((0.7, 0.6, 0.8), (0.5, 0.9, 0.8), (0.0, 0.5, 0.6)):
        with pytest.raises(ValueError, match="must grow from above 0"):
            Framing(face, least, most)
    with pytest.raises(ValueError, match="most"):
        Framing(most=1.2)


def test_one_pixel_and_transparent_pictures_can_be_cropped():
    cut, _, inside = crop_to_face(torch.full((1, 1, 3), 0.25), drawn(Box(0, 0, 1, 1)), 32, 48)
    assert cut.shape == (3, 48, 32) and (cut - 0.25).abs().max() < 1e-5
    assert inside.width == 32
    clear = torch.zeros(50, 50, 4)
    assert crop_to_face(clear, drawn(Box(10, 10, 30, 30)), 16, 16)[0].min() > 0.9999


def test_pasting_the_crop_back_gives_the_original(astronaut):
    original = torch.from_numpy(astronaut).float() / 255
    cut, crop, _ = crop_to_face(original, drawn(ASTRONAUT_FACE), 186, 186)
    assert crop.box.width == 186
    frames = cut.movedim(0, -1).expand(2, -1, -1, -1)
    assert (paste_back(frames, original, crop, feather=8) - original).abs().max() < 1e-6


def test_feathering_fades_inside_the_crop_but_not_at_the_pictures_edge():
    original = torch.zeros(100, 120, 3)
    _, crop, _ = crop_to_face(original, drawn(Box(0, 20, 29, 49)), 64, 64)
    assert (crop.box.x0, crop.box.width, crop.box.height) == (0, 50, 50)
    top = int(crop.box.y0)
    pasted = paste_back(torch.ones(1, 32, 32, 3), original, crop, feather=10)
    assert pasted.shape == (1, 100, 120, 3)
    row = pasted[0, top + 25, :, 0]
    assert row[:40].min() > 0.9999 and row[50:].max() == 0
    assert row[40:50].tolist() == pytest.approx([(9.5 - k) / 10 for k in range(10)], abs=1e-5)
    assert pasted[0, top - 1].max() == 0 and pasted[0, top, 5, 0] == pytest.approx(0.05)
    hard = paste_back(torch.ones(1, 32, 32, 3), original, crop, feather=0)
    assert hard.sum() == pytest.approx(50 * 50 * 3)


def test_the_paste_is_whole_up_to_the_pictures_right_and_lower_edges():
    original = torch.zeros(100, 120, 3)
    _, crop, _ = crop_to_face(original, drawn(Box(91, 71, 120, 100)), 64, 64)
    assert crop.box == Box(70, 50, 120, 100)
    pasted = paste_back(torch.ones(1, 32, 32, 3), original, crop, feather=10)[0, ..., 0]
    assert pasted[75, 80:].min() > 0.9999 and pasted[60:, 100].min() > 0.9999
    assert pasted[75, 70] == pytest.approx(0.05) and pasted[50, 100] == pytest.approx(0.05)


def test_padded_crops_and_upscaled_frames_are_pasted_in_place():
    picture = smooth(60, 60)
    cut, crop, _ = crop_to_face(picture, drawn(Box(0, 0, 60, 60)), 60, 80)
    big = torch.nn.functional.interpolate(cut[None], scale_factor=3, mode="bicubic").movedim(1, -1)
    assert (paste_back(big, picture, crop, feather=4) - picture).abs().max() < 0.02
    with pytest.raises(ValueError, match="cut from a 60x60 picture, got 50x60"):
        paste_back(big, picture[:, :50], crop, feather=4)
