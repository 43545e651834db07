"""Several faces, pictures and portraits at once: lists of what one gives, and one video of all faces."""

import pytest
import torch

from .in_process import Pack
from .test_nodes import BOX, CROP, NO_BOX, face_region, shown

FACES = {"box_x": 100, "box_y": 150, "box_width": 80, "box_height": 100}
SECOND = "300, 200, 60, 80"


def mask_of(*faces: tuple[int, int, int, int]) -> torch.Tensor:
    masks = torch.zeros(len(faces), 512, 512)
    for mask, (x, y, width, height) in zip(masks, faces, strict=True):
        mask[y : y + height, x : x + width] = 1
    return masks


def region_lists(pack: Pack, image: torch.Tensor, **changes) -> list[list]:
    inputs = NO_BOX | CROP | {"image": image} | changes
    return pack.run_lists("FaceRegionMask", **{name: [value] for name, value in inputs.items()})


def faces_of(pack: Pack, image: torch.Tensor, **changes) -> list[list[float]]:
    """The faces' boxes, x, y, width and height, after a check that all outputs are as many."""
    lists = region_lists(pack, image, **changes)
    assert [each.shape for each in lists[0]] == [(1, 512, 512)] * len(lists[2])
    assert [each.shape for each in lists[1]] == [(1, 512, 512, 3)] * len(lists[2])
    boxes = [way_back.face for way_back in lists[2]]
    return [[box.x0, box.y0, box.width, box.height] for box in boxes]


@pytest.mark.parametrize("text", [SECOND, f"\n{SECOND};\n", "300 200 60 80", "300.0,200,60,80"])
def test_a_further_face_comes_after_the_drawn_one(pack, photo, text):
    assert faces_of(pack, photo, **FACES, more_faces=text) == [[100, 150, 80, 100], [300, 200, 60, 80]]


def test_further_faces_keep_their_order_and_come_after_a_detected_one(pack, photo):
    (found,) = faces_of(pack, photo)
    faces = faces_of(pack, photo, more_faces=f"{SECOND}\n1, 2, 30, 40")
    assert faces == [found, [300, 200, 60, 80], [1, 2, 30, 40]]


def test_each_face_is_cut_and_masked_as_it_is_alone(pack, photo):
    masks, crops, ways_back = region_lists(pack, photo, **FACES, more_faces=SECOND)
    for number, own in enumerate((FACES, BOX)):
        mask, crop, way_back = face_region(pack, photo, **own)
        assert torch.equal(masks[number], mask) and torch.equal(crops[number], crop)
        assert ways_back[number] == way_back


def test_a_batch_of_masks_is_a_face_each(pack, photo):
    faces = [(100, 150, 80, 100), (300, 200, 60, 80)]
    assert faces_of(pack, photo, mask=mask_of(*faces)) == [list(face) for face in faces]
    assert faces_of(pack, photo, mask=torch.zeros(3, 64, 64)) == faces_of(pack, photo)
    with pytest.raises(ValueError, match="mask 2 of 2 marks no face"):
        faces_of(pack, photo, mask=torch.cat([mask_of(faces[0]), torch.zeros(1, 512, 512)]))


def test_a_batch_of_pictures_has_all_faces_of_the_first_one_first(pack, photo):
    both = torch.cat([photo, photo.flip(2)])
    one, other = faces_of(pack, both)
    assert one[0] != other[0] and one[0] + one[2] == pytest.approx(512 - other[0], abs=8)
    drawn, more = [100, 150, 80, 100], [300, 200, 60, 80]
    assert faces_of(pack, both, **FACES, more_faces=SECOND) == [drawn, more, drawn, more]


def test_masks_boxes_and_landmarks_go_with_their_pictures(pack, photo):
    both = photo.repeat(2, 1, 1, 1)
    faces = [[100, 150, 80, 100], [300, 200, 60, 80]]
    rows = [[[x, y, x + width, y + height]] for x, y, width, height in faces]
    landmarks = [[{"bbox_xyxy": row} for row in each] for each in rows]
    assert faces_of(pack, both, mask=mask_of(*faces)) == faces
    assert faces_of(pack, both, bounding_box=rows) == faces
    assert faces_of(pack, both, face_landmarks={"frames": landmarks, "image_size": (512, 512)}) == faces
    assert faces_of(pack, both, mask=mask_of(faces[1])) == [faces[1]] * 2
    with pytest.raises(ValueError, match="mask has 3 entries for 2 pictures: give one for each"):
        faces_of(pack, both, mask=mask_of(*faces, faces[0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 2, 30", "got '1, 2, 30'"),
        (f"{SECOND}\n1, 2, 30, forty", "got '1, 2, 30, forty'"),
        ("1, 2, 0, 40", "in pixels and with an area, such as .* got '1, 2, 0, 40'"),
        ("1, 2, nan, 40", "got '1, 2, nan, 40'"),
        ("1, 2, 3, 4\n" * 101, "more_faces may have 100 faces at most, got 101"),
        ("600, 600, 9, 9", "the box 600, 600, 609, 609 has no area inside the 512x512 picture"),
    ],
)
def test_a_line_that_is_no_face_is_named(pack, photo, text, message):
    with pytest.raises(ValueError, match=message):
        faces_of(pack, photo, more_faces=text)


def test_the_node_shows_the_faces_of_each_picture(pack, photo):
    told = shown(pack, photo.repeat(2, 1, 1, 1), **FACES, more_faces=SECOND)
    assert told["boxes"] == [[100, 150, 80, 100], [300, 200, 60, 80]]


# ReferenceNetEncode


def test_a_batch_of_pictures_is_a_reference_each(pack, scene):
    pictures = torch.rand(2, 64, 64, 3)
    both, alone = (
        scene.pack.run_lists("ReferenceNetEncode", reference_net=[scene.net], vae=[scene.vae], image=images)[
            0
        ]
        for images in ([pictures], [pictures[:1], pictures[1:]])
    )
    assert len(both) == len(alone) == 2
    for one, other in zip(both, alone, strict=True):
        assert torch.equal(one.portrait, other.portrait) and one.portrait.shape[0] == 1
    assert not torch.equal(both[0].portrait, both[1].portrait)


# EMOPasteBack


def paste(pack: Pack, images: list, original: list, crop: list, feather: int = 4) -> list[torch.Tensor]:
    return pack.run_lists("EMOPasteBack", images=images, original=original, crop=crop, feather=[feather])[0]


def test_all_faces_of_a_picture_are_pasted_into_one_video(pack, photo, caplog):
    _, _, ways_back = region_lists(pack, photo, **FACES, more_faces=SECOND)
    images = [torch.full((5, 64, 64, 3), 0.2), torch.full((3, 64, 64, 3), 0.8)]
    (video,) = paste(pack, images, [photo], ways_back)
    assert video.shape == (3, 512, 512, 3)
    assert (video[:, 200, 140] - 0.2).abs().max() < 1e-6 and (video[:, 240, 330] - 0.8).abs().max() < 1e-6
    assert "have 5, 3 frames: all of them end after 3" in caplog.text


def test_as_many_originals_as_videos_are_a_video_each(pack, photo):
    both = torch.cat([photo, 1 - photo])
    _, _, ways_back = region_lists(pack, both, **FACES)
    images = [torch.full((2, 64, 64, 3), value) for value in (0.2, 0.8)]
    for originals in ([both], [both[:1], both[1:]]):
        videos = paste(pack, images, originals, ways_back)
        for video, value, original in zip(videos, (0.2, 0.8), both, strict=True):
            assert (video[:, 200, 140] - value).abs().max() < 1e-6
            assert torch.equal(video[0, 0], original[0])


def test_two_faces_in_each_of_two_pictures_are_two_videos(pack, photo):
    both = torch.cat([photo, 1 - photo])
    images = [torch.full((1, 64, 64, 3), value) for value in (0.1, 0.3, 0.6, 0.9)]
    _, _, ways_back = region_lists(pack, both, **FACES, more_faces=SECOND)
    videos = paste(pack, images, [both], ways_back)
    assert [round(video[0, 200, 140, 0].item(), 3) for video in videos] == [0.1, 0.6]
    assert [round(video[0, 240, 330, 0].item(), 3) for video in videos] == [0.3, 0.9]


def test_several_videos_of_one_face_stay_several(pack, photo):
    _, _, way_back = face_region(pack, photo, **FACES)
    images = [torch.full((count, 64, 64, 3), 0.5) for count in (1, 2)]
    assert [len(video) for video in paste(pack, images, [photo], [way_back])] == [1, 2]


@pytest.mark.parametrize(("videos", "crops", "originals"), [(3, 2, 1), (2, 3, 1), (2, 2, 3), (3, 3, 2)])
def test_numbers_that_do_not_fit_together_are_refused(pack, photo, videos, crops, originals):
    ways_back = [face_region(pack, photo, **FACES)[2]] * crops
    message = f"images has {videos} videos, crop {crops} crops and original {originals} pictures"
    with pytest.raises(ValueError, match=message):
        paste(pack, [torch.rand(1, 64, 64, 3)] * videos, [photo.repeat(originals, 1, 1, 1)], ways_back)


def test_a_list_without_anything_is_refused(pack, photo):
    _, _, way_back = face_region(pack, photo, **FACES)
    with pytest.raises(ValueError, match="the images is missing"):
        paste(pack, [], [photo], [way_back])
