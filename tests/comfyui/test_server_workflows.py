"""Each workflow of the template browser, sent in its API form, becomes the video it promises."""

import json
import tomllib

import numpy as np
import pytest
from PIL import Image

from .files import Inputs
from .harness import PACK, Clip, Prompt, Server
from .prompts import API, api_prompt, only, with_own_files, with_small_model

TOGETHER = "EMO two people talking"
WORKFLOWS = sorted((PACK / "workflows").glob("*.json"))
NAMES = [path.stem for path in WORKFLOWS]
OWN = ("photo.png", "speech.wav")
AAC_PADDING = 1023  # samples that the encoder may add to fill its last block
THUMBNAIL_BYTES = 60_000


def rendered(server: Server, prompt: Prompt) -> Clip:
    run = server.run(prompt)
    assert (run.status, run.error) == ("success", ""), f"{run.error}\n{server.log[-3000:]}"
    assert run.video["type"] == "output"
    return server.clip(run.video)


def check(clip: Clip, frames: int, size: tuple[int, int], rate: int, channels: int, fps: int = 25) -> None:
    """`size` is (width, height); the sound lasts as long as the frames, to AAC's padding."""
    assert clip.frames.shape == (frames, size[1], size[0], 3)
    assert clip.fps == fps
    assert (clip.sample_rate, len(clip.sound)) == (rate, channels)
    assert 0 <= clip.sound.shape[1] - round(frames * rate / fps) <= AAC_PADDING


def test_the_first_workflow_runs_as_it_is_opened(server: Server) -> None:
    clip = rendered(server, api_prompt("EMO talking portrait"))
    check(clip, 125, (256, 256), 16000, 1)
    assert clip.sound.std() > 0.01
    change = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert 0.2 < change.mean() < 10
    portrait = Image.open(PACK / "samples" / "portrait.png").convert("RGB").resize((256, 256))
    assert np.abs(clip.frames[0].astype(int) - np.asarray(portrait)).mean() < 12


@pytest.mark.parametrize("name", ["EMO your own photo and audio", "EMO long audio"])
def test_a_workflow_runs_with_the_example(server: Server, name: str) -> None:
    check(rendered(server, with_small_model(api_prompt(name))), 125, (128, 128), 16000, 1)


@pytest.mark.parametrize("name", ["EMO your own photo and audio", "EMO long audio"])
def test_it_runs_with_the_users_own_files(server: Server, stand_ins: Inputs, name: str) -> None:
    clip = rendered(server, with_small_model(with_own_files(api_prompt(name), *OWN)))
    check(clip, 25, (128, 128), 44100, 2)
    assert np.diff(clip.frames.astype(int), axis=0).any()


def test_upscale_and_paste_back(server: Server, stand_ins: Inputs) -> None:
    """The example first: only the upscaler has to be there."""
    name = "EMO upscale and paste back"
    check(rendered(server, with_small_model(api_prompt(name))), 125, (512, 512), 16000, 1)
    clip = rendered(server, with_small_model(with_own_files(api_prompt(name), *OWN)))
    check(clip, 25, (1080, 1920), 44100, 2)
    original = np.asarray(Image.open(stand_ins.folder / "photo.png")).astype(int)
    changed = np.abs(clip.frames - original).mean(axis=(0, 3))
    assert changed[1400:].mean() < 3, "below the person the photo stays what it was"
    assert changed[:200].mean() < 3
    assert changed[400:700, 300:700].mean() > 5, "the model moves the face"


def test_two_people_talk_in_one_film(server: Server, stand_ins: Inputs) -> None:
    clip = rendered(server, with_small_model(api_prompt(TOGETHER)))
    check(clip, 121, (768, 480), 16000, 1)
    moved = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean(axis=(0, 3))
    assert moved[120:330, 108:285].mean() > 0.3 and moved[111:323, 485:668].mean() > 0.3, "both faces move"


@pytest.mark.parametrize(
    ("name", "fps", "licence"),
    [("EchoMimic talking photo", 24, "Apache-2.0"), ("Hallo talking photo", 25, "MIT")],
)
def test_a_relatives_release(server: Server, releases: Inputs, name: str, fps: int, licence: str) -> None:
    run = server.run(with_own_files(api_prompt(name), *OWN))
    assert (run.status, run.error) == ("success", ""), f"{run.error}\n{server.log[-3000:]}"
    clip = server.clip(run.video)
    check(clip, fps, (64, 64), 44100, 2, fps)
    assert np.diff(clip.frames.astype(int), axis=0).any()
    assert any(f"Licence of the weights: {licence}." in text for text in run.texts)
    assert any("has no speed layers: the speed is ignored" in text for text in run.texts)


@pytest.mark.parametrize("name", NAMES)
def test_no_workflow_asks_for_a_picture_or_a_sound_that_is_not_there(name: str) -> None:
    """A name there would be a red frame without a download, and a box would lie on the user's own picture."""
    prompt = api_prompt(name)
    for kind, widget in (("LoadImage", "image"), ("LoadAudio", "audio")):
        assert [e["inputs"][widget] for e in prompt.values() if e["class_type"] == kind] in ([], [""])
    if name != TOGETHER:
        face = only(prompt, "FaceRegionMask")
        assert {face[side] for side in ("box_x", "box_y", "box_width", "box_height")} == {0}


def test_the_boxes_of_two_people_are_known_to_be_the_examples() -> None:
    """So that the page says "Drawn for another picture" over the user's own."""
    graph = json.loads((PACK / "workflows" / f"{TOGETHER}.json").read_text(encoding="utf-8"))
    (face,) = [node for node in graph["nodes"] if node["type"] == "FaceRegionMask"]
    assert json.loads(face["properties"]["emo_box_for"]) == {"example": "two-people.png"}


def test_every_workflow_has_its_api_form_and_the_other_way_round() -> None:
    assert sorted(path.stem for path in API.glob("*.json")) == NAMES
    assert len(NAMES) == 7


@pytest.mark.parametrize("name", NAMES)
def test_nodes_say_where_they_come_from(server: Server, name: str) -> None:
    graph = json.loads((PACK / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    project = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    kinds = {entry["class_type"] for entry in api_prompt(name).values()}
    assert {node["type"] for node in graph["nodes"]} == kinds | {"MarkdownNote"}
    for node in graph["nodes"]:
        ours = node["type"] in kinds and server.object_info(node["type"])["category"] == "EMO"
        expected = (project["name"], project["version"]) if ours else ("comfy-core", "0.3.64")
        assert (node["properties"]["cnr_id"], node["properties"]["ver"]) == expected


@pytest.mark.parametrize("name", NAMES)
def test_thumbnails_are_small_pictures(name: str) -> None:
    path = PACK / "workflows" / f"{name}.jpg"
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert min(picture.size) >= 256
    assert path.stat().st_size < THUMBNAIL_BYTES


def test_the_long_workflow_never_holds_all_frames() -> None:
    video = only(api_prompt("EMO long audio"), "FramesToVideo")
    assert {"samples", "vae"} <= set(video)
    assert "images" not in video
