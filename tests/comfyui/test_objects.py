"""IMAGE, MASK, AUDIO and the rest as other packs hand them over: taken as meant, or refused in words."""

import logging
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from .in_process import SAMPLING, WHOLE_FACE, Pack

log = logging.getLogger("test")
CROP = {"crop_width": 0, "crop_height": 0}


@pytest.fixture(scope="module")
def taken(pack: Pack) -> Callable[..., Any]:
    """The pack's own converter: kind, value -> what a node gets."""
    objects = pack.module("nodes.managed.objects")
    return lambda kind, value, name="it": objects.taken(kind, name, value, log)


# IMAGE

PICTURE = torch.rand(1, 6, 8, 3, generator=torch.Generator().manual_seed(0))
SAME_PICTURES = {
    "plain": PICTURE,
    "no batch axis": PICTURE[0],
    "bytes": (PICTURE * 255).round().byte(),
    "floats up to 255": PICTURE * 255,
    "integers": (PICTURE * 255).round().int(),
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
    portrait = pack.module("nodes.managed.pictures").one_picture(found, log)
    assert portrait.shape == (6, 8, 3) and portrait.dtype == torch.float32
    assert (portrait - PICTURE[0]).abs().max() < 1 / 250


def test_an_overshoot_is_cut_off_and_grey_becomes_colour(pack, taken) -> None:
    one_picture = pack.module("nodes.managed.pictures").one_picture
    over = one_picture(taken("IMAGE", PICTURE * 1.7 - 0.2), log)
    assert torch.equal(over, (PICTURE[0] * 1.7 - 0.2).clamp(0, 1))
    grey = one_picture(taken("IMAGE", PICTURE[..., :1]), log)
    assert torch.equal(grey, PICTURE[0, ..., :1].expand(-1, -1, 3))


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


# MASK

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


# AUDIO

WAVE = 0.3 * torch.sin(torch.arange(3200) / 9)[None, None].repeat(1, 2, 1)
WAVE[:, 1] *= 0.5


class Lazy(Mapping):
    """VideoHelperSuite's audio is decoded when it is asked for."""

    def __getitem__(self, key: str) -> Any:
        return {"waveform": WAVE, "sample_rate": 16000}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("waveform", "sample_rate"))

    def __len__(self) -> int:
        return 2


def audio(waveform: Any = WAVE, rate: Any = 16000) -> dict[str, Any]:
    return {"waveform": waveform, "sample_rate": rate}


SAME_SOUNDS = {
    "plain": audio(),
    "mapping": Lazy(),
    "list of one": [audio()],
    "other keys": audio() | {"path": "x"},
    "no batch axis": audio(WAVE[0]),
    "array": audio(WAVE.numpy()),
    "double precision": audio(WAVE.double()),
    "half precision": audio(WAVE.half()),
    "gradient": audio(WAVE.clone().requires_grad_()),
    "time before channels": audio(WAVE.mT.contiguous()),
    "int16": audio((WAVE * 32767).round().short()),
    "int32": audio((WAVE.double() * (2**31 - 1)).round().int()),
    "bytes": audio((WAVE * 127 + 128).round().byte()),
    "int16's range": audio(WAVE * 32768),
    "float rate": audio(rate=16000.0),
    "numpy rate": audio(rate=np.int64(16000)),
    "numpy float rate": audio(rate=np.float32(16000)),
    "tensor rate": audio(rate=torch.tensor(16000)),
    "text rate": audio(rate="16000"),
}


@pytest.mark.parametrize("name", SAME_SOUNDS)
def test_sounds_of_any_form_are_the_same_sound(taken, name: str) -> None:
    found = taken("AUDIO", SAME_SOUNDS[name])
    assert found["sample_rate"] == 16000 and type(found["sample_rate"]) is int
    assert found["waveform"].shape == (1, 2, 3200) and found["waveform"].dtype == torch.float32
    assert not found["waveform"].requires_grad
    assert (found["waveform"] - WAVE).abs().max() < 0.009


def test_one_channel_without_axes_and_several_sounds(taken) -> None:
    assert torch.equal(taken("AUDIO", audio(WAVE[0, 0]))["waveform"], WAVE[:1, :1])
    assert taken("AUDIO", audio(WAVE.repeat(3, 1, 1)))["waveform"].shape == (3, 2, 3200)


def test_scaled_sound_is_said_and_loud_sound_stays_as_it_is(taken, caplog) -> None:
    assert torch.equal(taken("AUDIO", audio(WAVE * 30))["waveform"], WAVE * 30)
    assert not caplog.text
    taken("AUDIO", audio(WAVE * 32768))
    assert "divided by 32768" in caplog.text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the it is missing: the video or file it came from has no sound"),
        ((WAVE, 16000), "dictionary of waveform and sample_rate, got a list of 2"),
        ({"samples": WAVE, "sample_rate": 16000}, "got a dictionary of samples, sample_rate"),
        ({}, "got a dictionary of nothing"),
        (audio(rate=16000.5), "it's sample_rate must be a whole number from 1 to 10000000, got 16000.5"),
        (audio(rate=0), "sample_rate must be .* got 0"),
        (audio(rate=-1), "sample_rate must be .* got -1"),
        (audio(rate=float("nan")), "sample_rate must be .* got nan"),
        (audio(rate=None), "sample_rate must be .* got nothing"),
        (audio("speech.wav"), "waveform must be a tensor"),
        (audio(WAVE[None]), r"waveform must be a tensor .* got a tensor \(1, 1, 2, 3200\)"),
        (audio(torch.tensor(0.5)), "waveform must be a tensor"),
        (audio(WAVE.bool()), "waveform must be a tensor"),
        (audio(WAVE.long()), "waveform must be a tensor"),
        (audio(WAVE * 1j), "waveform must be a tensor"),
        (audio(torch.zeros(1, 3200, 300)), "at most 64 channels"),
        (audio(WAVE[..., :0]), "audio is empty"),
        (audio(WAVE[:0]), "audio is empty"),
        (audio(WAVE[:, :0]), "audio is empty"),
        (audio(WAVE * torch.nan), "6400 NaN or infinite samples of 6400"),
        (audio(WAVE * 1e7), "must lie between -1 and 1, got 3e"),
    ],
)
def test_what_is_no_sound_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("AUDIO", value)


@pytest.mark.parametrize("name", ["no batch axis", "time before channels", "float rate", "array"])
def test_cores_encode_node_takes_any_form_with_our_encoder(scene, name: str) -> None:
    from comfy_extras.nodes_audio_encoder import AudioEncoderEncode as encode

    given = SAME_SOUNDS[name]
    found, expected = (
        encode.execute(audio_encoder=scene.encoder, audio=sound).args[0] for sound in (given, audio())
    )
    assert torch.equal(found["encoded_audio"], expected["encoded_audio"])
    with pytest.raises(ValueError, match="audio's sample_rate must be"):
        encode.execute(audio_encoder=scene.encoder, audio=audio(rate=0))


@pytest.mark.parametrize("given", [None, {}, {"encoded_audio_all_layers": (torch.zeros(1, 2, 3),)}])
def test_an_encoder_of_another_pack_that_gives_something_else_is_refused(scene, given) -> None:
    encoder = SimpleNamespace(encode_audio=lambda waveform, rate: given)
    with pytest.raises(ValueError, match="what the audio_encoder gives must be .* all layers"):
        scene.sample(0.04, audio_encoder=encoder)


# LATENT, VAE and what the pack's own sockets carry


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(2, 8, 4, 4), r"must be a LATENT with samples, got a tensor"),
        ({}, "a dictionary of nothing"),
        ({"samples": None}, "must be a LATENT"),
        ({"samples": torch.zeros(0, 8, 4, 4)}, "must be a LATENT"),
        ({"samples": torch.zeros(1, 16, 5, 4, 4)}, r"got a tensor \(1, 16, 5, 4, 4\) .*another model's"),
        ({"samples": torch.zeros(8, 4, 4)}, "frames, channels, height, width"),
        ({"samples": torch.full((1, 8, 4, 4), torch.nan)}, "NaN or infinite values: use fp32 or bf16"),
    ],
)
def test_what_is_no_latent_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("LATENT", value)


def test_latents_of_another_model_are_refused_before_the_vae(scene, pack) -> None:
    settings = {"fps": 25.0, "filename_prefix": "x", "save_output": False, "crf": 18, "vae": scene.vae}
    with pytest.raises(ValueError, match=r"decodes latents of 8 channels, samples are \(1, 4, 8, 8\) with 4"):
        pack.run("FramesToVideo", samples={"samples": torch.zeros(1, 4, 8, 8)}, **settings)


SOCKETS = ("model", "reference", "audio", "audio_encoder", "mask", "landmark_pictures", "face_landmarks")


def strange(scene) -> dict[str, Any]:
    """What a node with an output of any type may bring."""
    return {
        "text": "a", "number": 3, "list": [1, 2], "empty": {}, "module": torch.nn.Linear(1, 1),
        "class": SimpleNamespace(model=SimpleNamespace()), "model": scene.model, "vae": scene.vae,
        "net": scene.net, "encoder": scene.encoder, "reference": scene.reference, "audio": scene.audio,
        "tensor": torch.zeros(2, 2), "latent": {"samples": torch.zeros(1, 8, 4, 4)}, "nothing": None,
        "encoded": {"encoded_audio_all_layers": ()}, "encoded text": {"encoded_audio_all_layers": ("a", "b")},
        "frames": {"frames": [], "image_size": (1, 1)}, "boxes": [{"x": 1}], "function": print,
    }  # fmt: skip


RIGHT = {
    "model": {"model"}, "reference": {"reference"}, "audio": {"audio"}, "audio_encoder": {"encoder"},
    "reference_net": {"net"}, "vae": {"vae"}, "crop": set(), "image": set(), "images": set(),
    "original": set(), "samples": {"latent"}, "mask": {"tensor", "nothing"},
    "landmark_pictures": {"nothing"}, "face_landmarks": {"nothing"}, "bounding_box": {"nothing"},
}  # fmt: skip


@pytest.fixture(scope="module")
def graphs(scene) -> dict[str, dict[str, Any]]:
    """Good inputs of every node with sockets."""
    crop = {"box_x": 0, "box_y": 0, "box_width": 0, "box_height": 0, "face_index": 0} | CROP
    image = torch.rand(1, 64, 64, 3)
    _, picture, way_back = scene.pack.run("FaceRegionMask", image=image, **(crop | WHOLE_FACE))
    settings = {"fps": 25.0, "filename_prefix": "strange", "save_output": False, "crf": 18}
    return {
        "EMOSampler": SAMPLING
        | {
            "seed": 0, "speed": 12.0, "preview": False, "model": scene.model, "reference": scene.reference,
            "audio": scene.sound(0.04), "audio_encoder": scene.encoder,
        },
        "FaceRegionMask": {"image": image} | crop | WHOLE_FACE,
        "ReferenceNetEncode": {"reference_net": scene.net, "vae": scene.vae, "image": picture},
        "FramesToVideo": settings | {"samples": {"samples": torch.zeros(1, 8, 4, 4)}, "vae": scene.vae},
        "EMOPasteBack": {"images": picture, "original": image, "crop": way_back, "feather": 4},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("node_id", "socket"),
    [
        *(("EMOSampler", name) for name in SOCKETS),
        *(("FaceRegionMask", name) for name in ("image", "model", "mask", "bounding_box", "face_landmarks")),
        *(("ReferenceNetEncode", name) for name in ("reference_net", "vae", "image")),
        *(("FramesToVideo", name) for name in ("samples", "vae", "audio")),
        *(("EMOPasteBack", name) for name in ("images", "original", "crop")),
    ],
)
def test_a_thing_of_another_kind_is_refused_in_words(pack, scene, graphs, node_id: str, socket: str) -> None:
    for name, value in strange(scene).items():
        optional = socket in ("model", "audio") and node_id != "EMOSampler"
        if name in RIGHT[socket] or (value is None and optional):
            continue
        with pytest.raises(ValueError, match="connect|must be|missing|must have") as refused:
            pack.run(node_id, **(graphs[node_id] | {socket: value}))
        assert "Error" not in str(refused.value), name


ODD = {
    "sparse": torch.eye(4).to_sparse(),
    "without data": torch.zeros(1, 4, 4, device="meta"),
    "one without data": torch.zeros((), device="meta"),
    "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged),
    "objects": np.array([[None, 1]], dtype=object),
    "dates": np.array(["2026-01-01"], dtype="datetime64[D]"),
}


@pytest.mark.parametrize("name", ODD)
def test_tensors_that_are_no_plain_ones_are_refused_everywhere(pack, taken, name: str) -> None:
    given, values = ODD[name], pack.module("nodes.managed.values")
    kinds = {
        "IMAGE": given, "MASK": given, "AUDIO": audio(given), "LATENT": {"samples": given},
        "BOUNDING_BOX": given, "FACE_LANDMARKS": {"frames": [[{"bbox_xyxy": given}]], "image_size": (4, 4)},
        "AUDIO_ENCODER,AUDIO_ENCODER_OUTPUT": {"encoded_audio_all_layers": [given, given]},
    }  # fmt: skip
    for kind, value in kinds.items():
        with pytest.raises(ValueError, match="it"):
            taken(kind, value)
    for check in (values.whole_number, values.real_number, values.real_numbers):
        with pytest.raises(ValueError, match="it must be"):
            check("it", given, 0, 5)


# BOUNDING_BOX and FACE_LANDMARKS

FACE = (10.0, 20.0, 40.0, 60.0)
BOX = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
SAME_BOXES = {
    "one": BOX,
    "list": [BOX],
    "of each picture": [[BOX], [{"x": 0, "y": 0, "width": 1, "height": 1}]],
    "with a label": [BOX | {"label": "face", "score": 0.9}],
    "row": [10, 20, 40, 60],
    "rows": [[10, 20, 40, 60]],
    "tensor": torch.tensor([[10.0, 20, 40, 60]]),
    "with a score": np.array([[10, 20, 40, 60, 0.9]]),
    "of each picture, tensor": torch.tensor([[[10.0, 20, 40, 60]]]),
    "one tensor": torch.tensor([10, 20, 40, 60]),
    "row of tensors": [*torch.tensor([10.0, 20, 40, 60])],
    "list of tensors": [torch.tensor([10, 20, 40, 60])],
    "numpy sides": {side: np.float32(value) for side, value in BOX.items()},
}


@pytest.mark.parametrize("name", SAME_BOXES)
def test_boxes_of_any_form_are_the_same_box(taken, name: str) -> None:
    (box,) = taken("BOUNDING_BOX", SAME_BOXES[name])
    assert (box.x0, box.y0, box.x1, box.y1) == FACE


@pytest.mark.parametrize("value", [[], [[]], [[], [BOX]], torch.zeros(0, 4)])
def test_no_box_in_the_first_picture_is_no_box(taken, value) -> None:
    assert taken("BOUNDING_BOX", value) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": 1, "y": 2}, "must have x, y, width and height, got a dictionary of x, y"),
        (BOX | {"width": 0}, "a width and a height above 0, got 0 x 40"),
        (BOX | {"x": float("nan")}, "it's x must be a number .* got nan"),
        (BOX | {"height": "tall"}, "it's height must be a number"),
        ([10, 20, 5, 60], "above 0, got -5 x 40"),
        (torch.tensor([[10, 20, torch.inf, 60]]), "it's x1 must be a number"),
        ([3], "must be boxes of x, y, width and height, got 3"),
        ("face", "got 'face'"),
    ],
)
def test_what_is_no_box_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("BOUNDING_BOX", value)


def found_face(**changes: Any) -> dict[str, Any]:
    return {"frames": [[{"bbox_xyxy": [1, 2, 3, 4]} | changes]], "image_size": (64, 64)}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"frames": [[]]}, "frames and image_size, got a dictionary of frames"),
        ({"frames": 3, "image_size": (64, 64)}, "at least one frame, got 3"),
        ({"frames": [[]], "image_size": 64}, "image_size must be height and width, got 64"),
        ({"frames": [[]], "image_size": (0, 64)}, "image_size must be a number from 1"),
        ({"frames": [[[1, 2, 3, 4]]], "image_size": (64, 64)}, "faces with bbox_xyxy"),
        ({"frames": [3], "image_size": (64, 64)}, "list of faces for each frame, got 3"),
        (found_face(bbox_xyxy=[float("nan")] * 4), "bbox_xyxy's x0 must be a number"),
        (
            found_face(bbox_xyxy=BOX),
            "bbox_xyxy must be four numbers, got a dictionary of x, y, width, height",
        ),
        (found_face(bbox_xyxy=torch.tensor(3)), "bbox_xyxy must be four numbers, got 3"),
    ],
)
def test_what_are_no_landmarks_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("FACE_LANDMARKS", value)


@pytest.mark.parametrize("points", [None, [[1.0, 2.0]], [[float("nan"), 0.0]] * 478, [1.0] * 478])
def test_points_that_are_no_mesh_are_refused(scene, points) -> None:
    landmarks = found_face(**({} if points is None else {"landmarks_xy": points}))
    landmarks["image_size"] = (128, 128)
    with pytest.raises(ValueError, match="landmarks_xy of 468 or more finite points"):
        scene.sample(0.04, face_landmarks=landmarks)


# nothing that is not finite is a success


class Broken(torch.nn.Module):
    """A VAE whose pictures are NaN, as fp16 overflow makes them."""

    encode = decode_tiled = None

    def decode(self, latents: Tensor) -> Tensor:
        return torch.full((len(latents), 32, 32, 3), torch.nan)


def test_a_model_that_answers_nan_stops_with_the_remedy(pack, scene, monkeypatch) -> None:
    solver = pack.module("nodes.managed.sampling").GuiderSolver
    monkeypatch.setattr(
        solver, "clip", lambda self, noise, *_: noise / (0.0 if self.run else 1.0), raising=True
    )
    with pytest.raises(ValueError, match="the model's answer in clip 2 has NaN .* use fp32 or bf16"):
        scene.sample(0.96)


def test_a_vae_that_answers_nan_stops_with_the_remedy(pack, scene) -> None:
    vae = Broken()
    vae.encode = vae.decode_tiled = vae.decode
    settings = {"fps": 25.0, "filename_prefix": "nan", "save_output": False, "crf": 18}
    with pytest.raises(ValueError, match="what the VAE decoded has NaN .* --fp32-vae"):
        pack.run("FramesToVideo", samples={"samples": torch.zeros(1, 8, 4, 4)}, vae=vae, **settings)


# notices


def test_an_empty_mask_is_none_to_the_sampler_too(scene, caplog) -> None:
    empty, none = (scene.sample(0.04, mask=mask) for mask in (torch.zeros(1, 128, 128), None))
    assert torch.equal(empty, none) and not torch.equal(none, scene.sample(0.04))
    assert "the mask is empty: it counts as none" in caplog.text


def test_a_mask_of_another_size_and_unusual_settings_are_said(scene, caplog) -> None:
    with caplog.at_level(logging.INFO):
        scene.sample(0.04)
    assert "stretched" not in caplog.text and "colours burn" not in caplog.text
    scene.sample(0.04, mask=torch.ones(1, 512, 256), cfg=3.0)
    assert "the mask is 256x512, the portrait 128x128: it is stretched" in caplog.text
    assert "steps 2 and cfg 3: the own ones of emo-demo are 2 and 1" in caplog.text
