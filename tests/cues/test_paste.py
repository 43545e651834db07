"""Several faces put back into one picture: each place shows the crop whose face is the closest."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from emo_modules.cues.box import Box
from emo_modules.cues.face import Crop, Face, crop_to_face
from emo_modules.cues.paste import paste_all, paste_back, paste_stream

LEFT, RIGHT = Box(60, 60, 120, 130), Box(130, 70, 190, 140)  # each in the other's crop
SIZE = (200, 280)


def crop_of(face: Box) -> Crop:
    return crop_to_face(torch.zeros(*SIZE, 3), Face(face, "drawn"), 64, 64)[1]


def flat(value: float, count: int = 1) -> Tensor:
    return torch.full((count, 64, 64, 3), value)


@pytest.fixture
def crops() -> list[Crop]:
    found = [crop_of(LEFT), crop_of(RIGHT)]
    assert found[1].box.x0 < LEFT.x1 and found[0].box.x1 > RIGHT.x0
    return found


def part(picture: Tensor, box: Box) -> Tensor:
    """(h, w, 3) of the picture (H, W, 3)."""
    return picture[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]


def test_each_face_is_its_own_crops_where_the_crops_overlap(crops: list[Crop]) -> None:
    pasted = paste_all([(flat(0.2), crops[0]), (flat(0.8), crops[1])], torch.zeros(*SIZE, 3), 8)[0]
    assert (part(pasted, LEFT.scaled(0.8)) - 0.2).abs().max() < 1e-6
    assert (part(pasted, RIGHT.scaled(0.8)) - 0.8).abs().max() < 1e-6


def test_the_order_of_the_faces_makes_no_difference(crops: list[Crop]) -> None:
    third = crop_of(Box(100, 120, 150, 180))
    videos = [(flat(0.2), crops[0]), (flat(0.8), crops[1]), (flat(0.5), third)]
    original = torch.rand(*SIZE, 3)
    one, *others = (paste_all(order, original, 12) for order in itertools.permutations(videos))
    assert all((other - one).abs().max() < 1e-5 for other in others)


def test_one_crop_fades_into_the_other_without_a_step(crops: list[Crop]) -> None:
    """Between the faces nothing of the original shows, and no edge of a crop."""
    videos = [(flat(0.4), crops[0]), (flat(0.6), crops[1])]
    row = paste_all(videos, torch.zeros(*SIZE, 3), 16)[0, 100, 80:180, 0]
    assert row.min() > 0.399 and row.max() < 0.601
    assert row.diff().min() > -1e-6 and row.diff().max() < 0.025


def test_crops_of_the_original_give_the_original_again() -> None:
    original = torch.rand(*SIZE, 3)
    cuts = [crop_to_face(original, Face(face, "drawn"), 100, 100) for face in (LEFT, RIGHT)]
    boxes = [crop.box for _, crop, _ in cuts]
    whole = [(part(original, box)[None], crop) for box, (_, crop, _) in zip(boxes, cuts, strict=True)]
    assert (paste_all(whole, original, 10) - original).abs().max() < 1e-5


def test_a_small_face_before_a_large_one_keeps_its_own_place() -> None:
    child, adult = Box(20, 120, 60, 165), Box(90, 20, 190, 140)
    videos = [(flat(0.2), crop_of(child)), (flat(0.8), crop_of(adult))]
    pasted = paste_all(videos, torch.zeros(*SIZE, 3), 8)[0]
    assert (part(pasted, child) - 0.2).abs().max() < 1e-6
    assert (part(pasted, adult) - 0.8).abs().max() < 1e-6


def test_faces_far_from_each_other_are_pasted_as_alone() -> None:
    original = torch.rand(200, 900, 3)
    faces = [Face(Box(x, 60, x + 50, 120), "drawn") for x in (80, 780)]
    crops = [crop_to_face(original, face, 64, 64)[1] for face in faces]
    both = paste_all([(flat(0.1), crops[0]), (flat(0.9), crops[1])], original, 16)
    alone = paste_back(flat(0.9), paste_back(flat(0.1), original, crops[0], 16)[0], crops[1], 16)
    assert torch.equal(both, alone)


def test_all_end_with_the_shortest_and_it_is_said(crops: list[Crop], caplog) -> None:
    videos = [(flat(0.2, 5), crops[0]), (flat(0.8, 3), crops[1])]
    assert len(paste_all(videos, torch.zeros(*SIZE, 3), 8)) == 3
    assert "have 5, 3 frames: all of them end after 3" in caplog.text


def test_a_stream_asks_for_frames_as_its_pictures_are_asked_for(crops: list[Crop]) -> None:
    asked = []

    def frames(name: str) -> Iterator[Tensor]:
        for number in itertools.count():
            asked.append((name, number))
            yield flat(number / 10)[0]

    stream = paste_stream([(frames("a"), crops[0]), (frames("b"), crops[1])], torch.zeros(*SIZE, 3), 8)
    assert asked == []
    first, second = next(stream), next(stream)
    assert asked == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert first.max() == 0 and second.max() == pytest.approx(0.1)


def test_a_crop_of_another_picture_is_refused_before_any_frame(crops: list[Crop]) -> None:
    with pytest.raises(ValueError, match="cut from a 280x200 picture, got 280x100"):
        paste_stream([(flat(0.1), crops[0])], torch.zeros(100, 280, 3), 8)
