"""What goes wrong is said on the node, with its cause and its remedy, and the next prompt runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from .files import Inputs
from .harness import Prompt, Server
from .prompts import node, talking


@pytest.fixture(autouse=True)
def the_next_prompt_runs(server: Server):
    yield
    sound = node("EmptyAudio", duration=0.04, sample_rate=16000, channels=1)
    run = server.run(talking() | {"audio": sound})
    assert (run.status, run.error) == ("success", "")


@pytest.fixture(scope="module")
def files(
    server: Server, inputs: Inputs, tiny_checkpoint: Path, tiny_config, make_pipeline, save_pipeline
) -> Inputs:
    """Sounds, pictures and weights of all the kinds below."""
    inputs.sound("nan.wav", torch.full((1, 1600), torch.nan), 16000)
    inputs.sound("one.wav", torch.zeros(1, 1), 16000)
    inputs.sound("slow.wav", 0.1 * torch.randn(2, 800, generator=torch.Generator().manual_seed(0)), 8000)
    inputs.photo("two.png", faces=2)
    for name, width, height, mode in PICTURES:
        inputs.noise(name, width, height, mode)
    weights = server.base / "models" / "emo"
    whole = tiny_checkpoint.read_bytes()
    (weights / "text.safetensors").write_bytes(b"not a checkpoint")
    (weights / "page.safetensors").write_bytes(b"<html>log in</html>")
    (weights / "truncated.safetensors").write_bytes(whole[:-5000])
    (weights / "cut.safetensors").write_bytes(whole[:300])
    torch.save({"a": torch.zeros(1)}, weights / "pickle.safetensors")
    family = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3)}
    save_file(family, weights / "sd15.safetensors")
    still = replace(tiny_config, name="still", backbone=replace(tiny_config.backbone, speed_dim=None))
    save_pipeline(make_pipeline(still), weights / "still.safetensors")
    return inputs


PICTURES = [
    ("transparent.png", 60, 50, "RGBA"),
    ("grey.png", 50, 60, "L"),
    ("pixel.png", 1, 1, "RGB"),
    ("tiny.png", 3, 2, "RGB"),
    ("odd.png", 57, 33, "RGB"),
    ("tall.png", 20, 300, "RGB"),
]


def with_sound(prompt: Prompt, **load: object) -> Prompt:
    return prompt | {"audio": node("LoadAudio", **load)}


def with_picture(name: str, **face: object) -> Prompt:
    prompt = talking(0.04) | {"example": node("LoadImage", image=name), "speech": node("EMOExample")}
    prompt["audio"]["inputs"]["audio"] = ["speech", 1]
    prompt["face"]["inputs"] |= {"box_width": 0, "box_height": 0} | face
    return prompt


# Sound


@pytest.mark.parametrize(
    ("sound", "messages"),
    [
        (node("EmptyAudio", duration=0.0, sample_rate=16000, channels=1), ["audio is empty", "at least one"]),
        (node("LoadAudio", audio="nan.wav"), ["1600 NaN or infinite samples", "Export it again"]),
    ],
    ids=["empty", "nan"],
)
def test_sound_that_cannot_be_used(server: Server, files: Inputs, sound, messages: list[str]) -> None:
    run = server.run(talking() | {"audio": sound})
    assert run.status == "error"
    assert run.failed_node == "EMOSampler"
    for message in messages:
        assert message in run.error
    head = talking() | {"audio": sound}
    head |= {"speed": node("EMOHeadSpeed", mode="calm", speed=12.0, curve="", fps=25.0, audio=["audio", 0])}
    head["sampler"]["inputs"]["speed"] = ["speed", 0]
    assert messages[0] in server.run(head).error


def test_a_video_without_sound_gives_no_audio(server: Server, files: Inputs) -> None:
    silent = {
        "picture": node("EmptyImage", width=32, height=32, batch_size=2, color=0),
        "silent": node("CreateVideo", images=["picture", 0], fps=25.0),
        "audio": node("GetVideoComponents", video=["silent", 0]),
    }
    prompt = talking() | silent
    prompt["sampler"]["inputs"]["audio"] = ["audio", 1]
    run = server.run(prompt)
    assert run.failed_node == "EMOSampler"
    assert "the audio is missing" in run.error


@pytest.mark.parametrize(
    ("sound", "frames", "rate", "channels"),
    [
        (node("LoadAudio", audio="one.wav"), 1, 16000, 1),
        (node("LoadAudio", audio="slow.wav"), 3, 8000, 2),
        (node("EmptyAudio", duration=0.2, sample_rate=44100, channels=2), 5, 44100, 2),
    ],
    ids=["one sample", "stereo of 8 kHz", "silence"],
)
def test_unusual_sound_works(server: Server, files: Inputs, sound, frames: int, rate: int, channels: int):
    run = server.run(talking() | {"audio": sound})
    assert (run.status, run.error) == ("success", "")
    clip = server.clip(run.video)
    assert len(clip.frames) == frames
    assert (clip.sample_rate, len(clip.sound)) == (rate, channels)


# Pictures and faces


@pytest.mark.parametrize("name", [picture[0] for picture in PICTURES])
def test_pictures_of_any_kind_work_and_a_missing_face_is_said(
    server: Server, files: Inputs, name: str
) -> None:
    run = server.run(with_picture(name))
    assert (run.status, run.error) == ("success", "")
    assert server.clip(run.video).frames.shape == (1, 128, 128, 3)
    assert any("no face found" in text for text in run.texts)
    (shown,) = run.outputs["face"]["emo_face"]
    assert shown["found"] is False
    assert (shown["width"], shown["height"]) == files.size(name)
    assert "no face found" in server.log


def test_the_larger_or_the_chosen_of_two_faces(server: Server, files: Inputs) -> None:
    boxes = []
    for index in (0, 1):
        run = server.run(with_picture("two.png", face_index=index))
        assert run.status == "success"
        (shown,) = run.outputs["face"]["emo_face"]
        assert shown["found"] is True
        boxes += shown["boxes"]
    assert abs(boxes[0][0] - boxes[1][0]) > 300


def test_a_face_index_out_of_range_says_how_many_there_are(server: Server, files: Inputs) -> None:
    run = server.run(with_picture("two.png", face_index=7))
    assert run.failed_node == "FaceRegionMask"
    assert "face index 7, but found 2: give 0 (largest) to 1" in run.error


def test_a_box_outside_the_picture_is_refused(server: Server, files: Inputs) -> None:
    run = server.run(with_picture("odd.png", box_x=500, box_y=2, box_width=20, box_height=20))
    assert run.failed_node == "FaceRegionMask"
    assert "no area inside the 57x33 picture" in run.error


# Weights


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("text", "16 bytes that are no safetensors file"),
        ("page", "a web page"),
        ("pickle", "a zip archive, as torch.save writes them"),
        ("truncated", "a damaged safetensors file"),
        ("cut", "a truncated safetensors file: 300 bytes"),
        ("sd15", "found a single-file Stable Diffusion checkpoint. The demo model comes with"),
    ],
)
def test_files_that_are_no_checkpoint(server: Server, files: Inputs, name: str, found: str) -> None:
    prompt = talking(0.04)
    prompt["model"]["inputs"]["checkpoint"] = f"{name}.safetensors"
    run = server.run(prompt)
    assert run.failed_node == "LoadEMOModel"
    assert f"{name}.safetensors: expected an EMO checkpoint" in run.error
    assert found in run.error
    prompt = talking(0.04)
    prompt["encoder"]["inputs"]["audio_encoder_name"] = f"emo/{name}.safetensors"
    run = server.run(prompt)
    assert run.failed_node == "LoadAudioEncoder"
    assert found in run.error


def test_speed_on_weights_without_speed_layers_is_ignored_and_it_is_said(
    server: Server, files: Inputs
) -> None:
    clips = []
    for speed in (0.0, 60.0):
        prompt = talking(0.12, speed=speed)
        prompt["model"]["inputs"]["checkpoint"] = "still.safetensors"
        prompt["encoder"]["inputs"]["audio_encoder_name"] = "emo/still.safetensors"
        run = server.run(prompt)
        assert (run.status, run.error) == ("success", "")
        assert any("still has no speed layers: the speed is ignored" in text for text in run.texts)
        clips.append(server.clip(run.video).frames)
    assert np.array_equal(*clips)


def test_parts_of_different_checkpoints_do_not_mix(server: Server, files: Inputs) -> None:
    prompt = talking(0.04)
    prompt["other"] = node("LoadEMOModel", checkpoint="still.safetensors", dtype="auto")
    prompt["sampler"]["inputs"]["model"] = ["other", 0]
    prompt["encoder"]["inputs"]["audio_encoder_name"] = "emo/still.safetensors"
    run = server.run(prompt)
    assert run.failed_node == "EMOSampler"
    assert "use one EMO Load Model for both" in run.error
    prompt = talking(0.04)
    prompt["encoder"]["inputs"]["audio_encoder_name"] = "emo/still.safetensors"
    run = server.run(prompt)
    assert run.failed_node == "EMOSampler"
    assert "was trained on an audio encoder with 3 blocks of 96 channels" in run.error


def test_a_video_needs_exactly_one_source(server: Server) -> None:
    prompt = talking(0.04)
    prompt["video"]["inputs"] |= {"images": ["example", 0]}
    run = server.run(prompt)
    assert run.failed_node == "FramesToVideo"
    assert "either images or samples make a video, got both" in run.error
    prompt["video"]["inputs"].pop("images")
    prompt["video"]["inputs"].pop("vae")
    assert "connect vae" in server.run(prompt).error
