import pytest

from emo_modules.cues.box import Box
from emo_modules.cues.face import Crop
from emo_people.evaluation.framing import framing_summary, measure_framing
from emo_people.recipe.config import DRAWN_FRAMING

FACE = Box(24, 26, 104, 106)  # 0.625 of 128 px


def framed(box: Box, found: bool = True):
    return measure_framing(Crop(128, 128, box, 128, 128), found, FACE, DRAWN_FRAMING)


def test_a_whole_picture_and_a_zoomed_one_are_told_apart():
    whole, zoomed = framed(Box(0, 0, 128, 128)), framed(Box(14, 16, 114, 116), found=False)
    assert (whole.zoom, whole.whole, whole.as_trained) == (1, True, True)
    assert (whole.share, whole.x, whole.y) == pytest.approx((0.625, 0.5, 0.515), abs=0.001)
    assert (zoomed.zoom, zoomed.share, zoomed.as_trained) == (1.28, 0.8, False)
    figures = framing_summary([whole, zoomed])
    assert (figures["found"], figures["whole"], figures["as_trained"]) == (0.5, 0.5, 0.5)
    assert figures["zoom"] == pytest.approx([1, 1.14, 1.28])


def test_a_face_beside_its_place_is_not_as_trained():
    assert not framed(Box(10, 0, 138, 128)).as_trained
    assert not framed(Box(0, -6, 128, 122)).as_trained
