"""IMAGE and MASK as other packs hand them over: taken as meant, or refused in words."""

import logging

import numpy as np
import pytest
import torch

log = logging.getLogger("test")
CROP = {"crop_width": 0, "crop_height": 0}

PICTURE = torch.rand(1, 6, 8, 3, generator=torch.Generator().manual_seed(0))
SAME_PICTURES = {
    "plain": PICTURE,
    "no batch axis": PICTURE[0],
    "bytes": (PICTURE * 255).round().byte(),
    "floats up to 255": PICTURE * 255,
    "integers": (PICTURE * 255).round().int(),
    "unsigned integers": (PICTURE * 255).round().to(torch.uint16),
    "half precision": PICTURE.half(),
    "bfloat16": PICTURE.bfloat16(),
    "double precision": PICTURE.double(),
    "gradient": PICTURE.clone().requires_grad_(),
    "array": PICTURE.numpy(),
    "big-endian array": PICTURE.numpy().astype(">f4"),
    "flipped array": PICTURE.flip(2).numpy()[:, :, ::-1],
    "list of one": [PICTURE[0]],
    "list of batches": [PICTURE],
    "video": PICTURE[:, None],
    "opaque": torch.cat([PICTURE, torch.ones(1, 6, 8, 1)], dim=-1),
}


@pytest.mark.parametrize("name", SAME_PICTURES)
def test_pictures_of_any_form_are_the_same_picture(pack, taken, name: str) -> None:
    found = taken("IMAGE", SAME_PICTURES[name])
    assert found.ndim == 4 and found.is_floating_point() and not found.requires_grad
    portraits = pack.module("nodes.managed.pictures").portraits(found)
    assert portraits.shape == (1, 6, 8, 3) and portraits.dtype == torch.float32
    assert (portraits - PICTURE).abs().max() < 1 / 250


def test_an_overshoot_is_cut_off_and_grey_becomes_colour(pack, taken) -> None:
    portraits = pack.module("nodes.managed.pictures").portraits
    over = portraits(taken("IMAGE", PICTURE * 1.7 - 0.2))
    assert torch.equal(over, (PICTURE * 1.7 - 0.2).clamp(0, 1))
    grey = portraits(taken("IMAGE", PICTURE[..., :1]))
    assert torch.equal(grey, PICTURE[..., :1].expand(-1, -1, -1, 3))


def test_every_frame_of_a_video_is_a_picture(taken) -> None:
    frames = torch.rand(2, 3, 6, 8, 3)
    assert torch.equal(taken("IMAGE", frames), frames.flatten(0, 1))


def test_a_scaled_picture_is_said(taken, caplog) -> None:
    taken("IMAGE", PICTURE * 255, "image")
    assert "image has values up to 25" in caplog.text and "divided by 255" in caplog.text


BROKEN = {
    "NaN": (PICTURE * torch.nan, "NaN or infinite values in 1 of 1 pictures"),
    "one NaN": (torch.cat([PICTURE, PICTURE * torch.inf]), "NaN or infinite values in 1 of 2 pictures"),
    "half NaN": (PICTURE.half() * torch.nan, "NaN or infinite"),
    "transparent": (torch.cat([PICTURE, torch.zeros(1, 6, 8, 1)], dim=-1), "is transparent all over"),
    "empty": (PICTURE[:0], r"a tensor \(0, 6, 8, 3\)"),
    "no pixels": (PICTURE[:, :0], r"must be pictures"),
    "two axes": (PICTURE[0, ..., 0], "must be pictures"),
    "channels first": (PICTURE.movedim(-1, 1), r"with C from 1 to 4, got a tensor \(1, 3, 6, 8\)"),
    "far outside": (PICTURE * 9, "must have values from 0 to 1, got .* to "),
    "16 bits": ((PICTURE * 65535).numpy().astype("u2"), "from 0 to 1, got .* to 65"),
    "negative": (PICTURE * 255 - 128, "must have values from 0 to 1, got -1"),
    "complex": (PICTURE * 1j, "must be pictures"),
    "sizes differ": ([PICTURE[0], PICTURE[0, :3]], "a list of 2, the first a tensor"),
    "dictionary": ({"samples": PICTURE}, "a dictionary of samples"),
    "text": ("photo.png", "got 'photo.png'"),
    "empty list": ([], "a list of 0"),
    "nothing": (None, "the it is missing: what is connected gives no picture"),
    "words": (np.array(["a"]), "an array"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_is_refused(taken, name: str) -> None:
    value, message = BROKEN[name]
    with pytest.raises(ValueError, match=message):
        taken("IMAGE", value)


# masks

MASK = torch.zeros(1, 6, 8)
MASK[:, 2:4, 3:6] = 1
SAME_MASKS = {
    "plain": MASK,
    "no batch axis": MASK[0],
    "channels first": MASK[:, None],
    "channels last": MASK[..., None],
    "channels last, no batch axis": MASK[0, ..., None],
    "bool": MASK.bool(),
    "bytes": (MASK * 255).byte(),
    "bytes of one": MASK.byte(),
    "integers": MASK.long(),
    "up to 255": MASK * 255,
    "half precision": MASK.half(),
    "8-bit floats": MASK.to(torch.float8_e4m3fn),
    "unsigned integers": MASK.to(torch.uint32),
    "array of unsigned integers": MASK.numpy().astype(">u2"),
    "array": MASK.numpy(),
    "bool array": MASK.numpy() > 0,
    "list": [MASK[0]],
    "gradient": MASK.clone().requires_grad_(),
}


@pytest.mark.parametrize("name", SAME_MASKS)
def test_masks_of_any_form_are_the_same_mask(taken, name: str) -> None:
    found = taken("MASK", SAME_MASKS[name])
    assert found.dtype == torch.float32 and torch.equal(found, MASK)


@pytest.mark.parametrize("name", SAME_MASKS)
def test_a_node_finds_the_face_by_a_mask_of_any_form(pack, name: str) -> None:
    face = {"box_x": 0, "box_y": 0, "box_width": 0, "box_height": 0, "face_index": 0} | CROP
    boxes = [
        pack.run("FaceRegionMask", image=PICTURE, mask=mask, **face)[2].box
        for mask in (MASK, SAME_MASKS[name])
    ]
    assert boxes[0] == boxes[1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (MASK[:0], r"got a tensor \(0, 6, 8\)"),
        (MASK * torch.nan, "NaN or infinite"),
        (PICTURE, r"must be masks \(B, H, W\), got a tensor \(1, 6, 8, 3\) .* Convert Image to Mask"),
        (MASK - 7, "must have values from 0 to 1"),
        (torch.zeros(3), "must be masks"),
        ("all", "got 'all'"),
    ],
)
def test_what_is_no_mask_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("MASK", value)
