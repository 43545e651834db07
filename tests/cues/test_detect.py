import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.cues.detect import detect_faces, how_it_lies, search_faces, search_people
from emo_modules.cues.familiar import unfamiliar

ASTRONAUT_FACE = Box(170, 42, 278, 172)  # ear to ear and hairline to chin, set by hand


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


@pytest.fixture(scope="module")
def scene(astronaut):
    """A photograph in 3840 x 2160, in which the face is 75 px wide."""
    board = Image.new("RGB", (3840, 2160), "grey")
    board.paste(Image.fromarray(astronaut).resize((341, 341)), (600, 1500))
    return np.array(board)


def test_a_photographed_face_is_found_from_hairline_to_chin(astronaut):
    (face,) = detect_faces(astronaut)
    assert face.iou(ASTRONAUT_FACE) > 0.65


def test_a_face_cut_by_the_pictures_edge_is_found_beyond_it(astronaut):
    cut = astronaut[:300, 190:]  # 18 % of the face are outside
    (face,) = search_faces(cut)
    assert face.iou(ASTRONAUT_FACE.mapped(-190, 0, 1, 1)) > 0.5


def test_a_small_face_in_a_large_picture_is_found_in_a_part_of_it(scene):
    assert detect_faces(scene) == []
    faces = search_faces(scene)
    assert faces and faces[0].iou(ASTRONAUT_FACE.mapped(0, 0, 2 / 3, 2 / 3).mapped(600, 1500, 1, 1)) > 0.4


@pytest.mark.parametrize(("turns", "words"), [(1, "to the right"), (2, "upside down"), (3, "to the left")])
def test_a_picture_that_lies_is_told_how_to_be_turned(astronaut, turns, words):
    lying = np.ascontiguousarray(np.rot90(astronaut[:256, 96:352], turns))
    assert words in how_it_lies(lying)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_face_of_a_picture_that_lies_is_found_where_it_is(astronaut, turns):
    lying = np.ascontiguousarray(np.rot90(astronaut[:256, 96:352], turns))
    (face,) = search_people(lying)
    left, right, nose = face.points[:3]
    across = {1: (0, -1), 2: (-1, 0), 3: (0, 1)}[turns]
    assert np.dot(right - left, across) > 20, "the eyes as the face has them, not as the picture shows them"
    assert np.linalg.norm(nose - np.array(face.box.centre)) < 0.25 * face.box.height


@pytest.mark.parametrize("degrees", [-50, -25, 25, 50])
def test_a_face_that_is_turned_in_the_plane_is_found_with_its_roll(astronaut, degrees):
    turned = Image.fromarray(astronaut[:300, 70:370]).rotate(-degrees, Image.Resampling.BICUBIC)
    (face,) = search_people(np.array(turned))
    (upright,) = search_people(astronaut[:300, 70:370])  # she tilts her head a little
    # two eyes and two corners of a mouth, read at 40 px: a pixel is many degrees
    assert face.roll - upright.roll == pytest.approx(degrees, abs=20)


def test_a_face_in_the_dark_or_behind_a_mask_is_found(astronaut):
    dark = (astronaut * 0.15).astype(np.uint8)
    masked = astronaut.copy()
    masked[125:180, 185:260] = (90, 130, 200)
    for picture in (dark, masked):
        (face,) = detect_faces(picture)
        assert face.iou(ASTRONAUT_FACE) > 0.6


@pytest.mark.parametrize("name", ["coffee", "chelsea", "brick", "moon"])
def test_what_is_no_face_is_not_taken_for_one(name):
    picture = getattr(data, name)()
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)
    assert search_faces(picture) == []


def test_a_crop_of_another_size_than_the_weights_learned_is_named():
    assert list(unfamiliar(EMOConfig.sd15(), torch.rand(3, 512, 512))) == []
    (only,) = unfamiliar(EMOConfig.sd15(), torch.rand(3, 256, 512))
    assert "trained at 512x512, the crop is 512x256" in only
