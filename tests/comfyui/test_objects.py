"""Things of another kind, or that are not finite, are refused in words; what is unusual is said."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from .in_process import SAMPLING
from .test_given_sounds import audio

CROP = {"crop_width": 0, "crop_height": 0}


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


@pytest.mark.parametrize(("axes", "refused"), [(1, True), (2, False), (3, True)])
def test_vaes_of_sound_and_video_are_refused(taken, axes: int, refused: bool) -> None:
    vae = SimpleNamespace(encode=print, decode=print, decode_tiled=print, latent_dim=axes)
    if not refused:
        assert taken("VAE", vae) is vae
        return
    with pytest.raises(ValueError, match="it must be a VAE of pictures, got an object"):
        taken("VAE", vae)


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


BOX = {"box_x": 12, "box_y": 12, "box_width": 40, "box_height": 40, "face_index": 0}


@pytest.fixture(scope="module")
def graphs(scene) -> dict[str, dict[str, Any]]:
    """Good inputs of every node with sockets."""
    crop = {"box_x": 0, "box_y": 0, "box_width": 0, "box_height": 0, "face_index": 0} | CROP
    image = torch.rand(1, 64, 64, 3)
    _, picture, way_back = scene.pack.run("FaceRegionMask", image=image, **(crop | BOX))
    settings = {"fps": 25.0, "filename_prefix": "strange", "save_output": False, "crf": 18}
    return {
        "EMOSampler": SAMPLING
        | {
            "seed": 0, "speed": 12.0, "preview": False, "model": scene.model, "reference": scene.reference,
            "audio": scene.sound(0.04), "audio_encoder": scene.encoder,
        },
        "FaceRegionMask": {"image": image} | crop | BOX,
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


# nothing that is not finite is a success


class Broken(torch.nn.Module):
    """A VAE whose pictures are NaN, as fp16 overflow makes them."""

    encode = decode_tiled = None

    def decode(self, latents: Tensor) -> Tensor:
        return torch.full((len(latents), 32, 32, 3), torch.nan)


def test_a_model_that_answers_nan_stops_with_the_remedy(pack, scene, monkeypatch) -> None:
    solver = pack.module("nodes.managed.sampling").GuiderSolver
    monkeypatch.setattr(
        solver,
        "clip",
        lambda self, noise, conditions, clip, seed: noise / (0.0 if clip else 1.0),
        raising=True,
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


def test_what_is_said_in_an_inner_block_stands_below_what_was_said_before(pack, monkeypatch) -> None:
    """Reading the inputs and running the node both speak, and the page shows the last text it got."""
    notices, texts = pack.module("nodes.managed.notices"), []
    server = SimpleNamespace(send_progress_text=lambda text, node_id: texts.append(text))
    monkeypatch.setattr(notices.PromptServer, "instance", server, raising=False)
    with notices.show_on("3") as outer:
        outer.warning("first")
        with notices.show_on("3") as inner:
            inner.warning("second")
    outer.warning("nobody's")
    assert texts == ["⚠ first", "⚠ first\n⚠ second"]


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
    assert "steps 2 and cfg 3 are far from what small, with its LoRAs, was made for, 2 and 1" in caplog.text
