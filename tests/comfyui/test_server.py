"""The pack in a running server: what loads, what is served, and the plumbing the other tests rely on."""

import json

import pytest
from PIL import Image
from skimage import data

from .harness import PACK, PACK_FOLDER, Refused, Server
from .prompts import node

NODES = (
    "LoadEMOModel",
    "EMOLoadLora",
    "EMODeepCache",
    "LoadAudioEncoder",
    "FaceRegionMask",
    "ReferenceNetEncode",
    "EMOHeadSpeed",
    "EMOConversation",
    "EMOSampler",
    "FramesToVideo",
    "EMOPasteBack",
    "EMOExample",
)
WORKFLOWS = sorted(path.stem for path in (PACK / "workflows").glob("*.json"))


def test_the_log_names_no_problem_of_the_pack(server: Server) -> None:
    assert "IMPORT FAILED" not in server.log
    assert "Error while calling comfy_entrypoint" not in server.log
    assert f"Skip {server.base}" not in server.log


@pytest.mark.parametrize("node_id", NODES)
def test_a_node_is_registered(server: Server, node_id: str) -> None:
    info = server.object_info(node_id)
    assert info["python_module"] == f"custom_nodes.{PACK_FOLDER}"
    assert info["category"].split("/")[0] == "EMO"
    assert "EMO" in info["display_name"]
    assert info["description"]


def test_display_names_are_not_those_of_other_nodes(server: Server) -> None:
    ours = {server.object_info(node_id)["display_name"] for node_id in NODES}
    others = {info["display_name"] for name, info in server.get("/object_info").items() if name not in NODES}
    assert len(ours) == len(NODES)
    assert ours.isdisjoint(others)


def test_every_widget_explains_itself(server: Server) -> None:
    for node_id in NODES:
        groups = server.object_info(node_id)["input"]
        for name, (_, *options) in (groups.get("required", {}) | groups.get("optional", {})).items():
            assert options and options[0].get("tooltip"), f"{node_id}.{name} has no tooltip"


def test_templates_are_listed_and_served_with_their_pictures(server: Server) -> None:
    assert len(WORKFLOWS) == 7
    assert sorted(server.get("/workflow_templates")[PACK_FOLDER]) == WORKFLOWS
    for name in WORKFLOWS:
        for suffix, start in ((".json", b"{"), (".jpg", b"\xff\xd8\xff")):
            status, body = server.fetch(f"/api/workflow_templates/{PACK_FOLDER}/{name}{suffix}")
            assert (status, body[: len(start)]) == (200, start), f"{name}{suffix}"


def test_help_pages_are_served(server: Server) -> None:
    for node_id in NODES:
        paths = [f"/extensions/{PACK_FOLDER}/docs/{node_id}{end}" for end in (".md", "/en.md")]
        assert 200 in [server.fetch(path)[0] for path in paths], node_id


def test_the_examples_are_served(server: Server) -> None:
    for name in ("portrait.png", "speech.wav", "two-people.png", "question.wav", "answer.wav"):
        start = b"RIFF" if name.endswith("wav") else b"\x89PNG"
        status, body = server.fetch(f"/emo_portrait/example/{name}")
        assert (status, body[:4]) == (200, start)


@pytest.mark.parametrize("name", ["../pyproject.toml", "..%2fpyproject.toml", "other.png"])
def test_nothing_else_is_served_as_an_example(server: Server, name: str) -> None:
    assert server.fetch(f"/emo_portrait/example/{name}")[0] in (400, 403, 404)


def test_the_face_route_finds_a_face_and_says_when_there_is_none(server: Server, inputs) -> None:
    inputs.photo("route.png")
    inputs.noise("route_noise.png", 50, 40)
    found = server.get("/emo_portrait/face", filename="route.png", subfolder="", type="input")
    assert (found["width"], found["height"]) == inputs.size("route.png")
    x, y, width, height = found["box"]
    assert min(x, y) >= 0 and min(width, height) > 20
    nothing = server.get("/emo_portrait/face", filename="route_noise.png", subfolder="", type="input")
    assert nothing == {"width": 50, "height": 40, "box": None, "boxes": []}
    assert server.get("/emo_portrait/face", example="portrait.png")["width"] == 512


@pytest.mark.parametrize(
    "query",
    [
        {"filename": "../server.log", "subfolder": "", "type": "input"},
        {"filename": "server.log", "subfolder": "..", "type": "input"},
        {"filename": "/etc/hostname", "subfolder": "", "type": "input"},
        {"filename": "absent.png", "subfolder": "", "type": "input"},
        {"filename": "absent.png", "subfolder": "", "type": "elsewhere"},
        {"filename": "route_text.png", "subfolder": "", "type": "input"},
        {"example": "../pyproject.toml"},
        {},
    ],
    ids=json.dumps,
)
def test_the_face_route_refuses_what_is_no_picture_of_the_user(server: Server, query: dict[str, str]) -> None:
    (server.base / "input" / "route_text.png").write_text("no picture")
    status, body = server.fetch("/emo_portrait/face", **query)
    assert 400 <= status < 500, body


@pytest.mark.parametrize("name", ["a\0b", "n" * 5000, "circle.png"], ids=["NUL", "long", "links"])
def test_the_face_route_has_no_trouble_with_names_that_are_none(server: Server, name: str) -> None:
    circle = server.base / "input" / "circle.png"
    if not circle.is_symlink():
        circle.symlink_to(circle)
    status, body = server.fetch("/emo_portrait/face", filename=name, subfolder="", type="input")
    assert status == 404, body


def test_the_face_route_refuses_pictures_that_are_too_large_without_naming_folders(server: Server) -> None:
    folder = server.base / "input"
    Image.new("1", (13000, 13000)).save(folder / "huge.png")  # 20 kB
    Image.new("1", (20000, 20000)).save(folder / "bomb.png")
    (folder / "text.png").write_text("no picture")
    for name, reason in (("huge", "13000x13000"), ("bomb", "cannot be read"), ("text", "cannot be read")):
        status, body = server.fetch("/emo_portrait/face", filename=f"{name}.png", type="input")
        assert status == 400 and reason in body.decode() and str(server.base) not in body.decode()


def test_the_box_shown_is_the_box_used_for_jpegs_and_thin_pictures(server: Server, inputs) -> None:
    photo = Image.fromarray(data.astronaut())
    photo.resize((1080, 1080)).save(server.base / "input" / "photo.jpg", quality=70)
    Image.new("RGB", (6000, 2)).save(server.base / "input" / "thin.png")
    for name, size in (("photo.jpg", (1080, 1080)), ("thin.png", (6000, 2))):
        shown = server.get("/emo_portrait/face", filename=name, type="input")
        assert (shown["width"], shown["height"]) == size
        box = dict.fromkeys(("box_x", "box_y", "box_width", "box_height", "face_index"), 0)
        region = node("FaceRegionMask", image=["1", 0], crop_width=64, crop_height=64, **box)
        shown_crop = node("PreviewImage", images=["2", 1])
        run = server.run({"1": node("LoadImage", image=name), "2": region, "3": shown_crop})
        (used,) = run.outputs["2"]["emo_face"]
        assert (used["width"], used["height"]) == size
        assert used["found"] == (shown["box"] is not None)
        assert shown["box"] in (None, *used["boxes"])
        with Image.open(server.base / "temp" / used["image"]["filename"]) as saved:
            assert max(saved.size) <= 1024


def test_a_prompt_of_core_nodes_becomes_a_video(server: Server) -> None:
    """The plumbing of these tests, without a node of ours."""
    picture = node("EmptyImage", width=32, height=16, batch_size=5, color=0xFF0000)
    sound = node("EmptyAudio", duration=0.5, sample_rate=16000, channels=1)
    video = node("CreateVideo", images=["1", 0], audio=["2", 0], fps=10.0)
    saved = node("SaveVideo", video=["3", 0], filename_prefix="core", format="mp4", codec="h264")
    run = server.run({"1": picture, "2": sound, "3": video, "4": saved})
    assert (run.status, run.error) == ("success", "")
    clip = server.clip(run.video)
    assert clip.frames.shape == (5, 16, 32, 3)
    assert clip.fps == 10
    assert clip.sample_rate == 16000
    assert clip.frames[..., 0].min() > 200
    assert clip.frames[..., 1:].max() < 50


def test_a_refused_prompt_is_seen_as_refused(server: Server) -> None:
    wrong = node("EmptyImage", width=-1, height=16, batch_size=1, color=0)
    with pytest.raises(Refused, match="smaller than min"):
        server.run({"1": wrong, "2": node("PreviewImage", images=["1", 0])})
