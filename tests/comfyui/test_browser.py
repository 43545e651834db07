"""The workflows in a real browser, as canvas and as Vue nodes: they load whole, and they run."""

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .conftest import unavailable
from .files import Inputs
from .harness import PACK, Prompt, Server
from .prompts import api_prompt

DRIVER = Path(__file__).parent / "browser.mjs"
NAMES = sorted(path.stem for path in (PACK / "workflows").glob("*.json"))
MODES = ["canvas", "vue"]
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
RELATIVES = ("EchoMimic talking photo", "Hallo talking photo")
UNCHOSEN = {"LoadImage": {"image"}, "LoadAudio": {"audio"}}
# on the demo model, and an upscaler that the tests write
RUN = [name for name in NAMES if name not in RELATIVES]
LEAST_ZOOM = 0.6  # ComfyUI hides the canvas' text below 0.57


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser that EMO_BROWSER names, else Chromium or Chrome on the path."""
    named = os.environ.get("EMO_BROWSER")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found is None:
        unavailable(
            f"no browser: install chromium, or set EMO_BROWSER to one (now {named!r}); these tests look for "
            f"{', '.join(BROWSERS)}"
        )
    if shutil.which("node") is None:
        unavailable("node is not installed: node 20 or newer, then `npm install playwright-core`")
    asked = ["node", "-e", "require.resolve('playwright-core')"]
    if subprocess.run(asked, cwd=DRIVER.parent, capture_output=True).returncode:
        unavailable("no playwright-core: `npm install playwright-core`, here or in a folder of NODE_PATH")
    return found


@pytest.fixture(scope="module")
def pages(chromium: str, server: Server, stand_ins: Inputs) -> dict[str, Any]:
    """What browser.mjs found. EMO_SCREENSHOTS names a folder for pictures of every workflow."""
    shots = os.environ.get("EMO_SCREENSHOTS")
    if shots:
        Path(shots).mkdir(parents=True, exist_ok=True)
    order = {
        "url": server.url,
        "chromium": chromium,
        "workflows": NAMES,
        "run": RUN,
        "pictures": [stand_ins.photo("first.png"), stand_ins.photo("second.png", faces=2)],
        "screenshots": shots and str(Path(shots).resolve()),
    }
    done = subprocess.run(
        ["node", DRIVER], input=json.dumps(order), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_page_only_inputs(server: Server, prompt: Prompt) -> Prompt:
    """Pages also send widgets that no node reads, such as LoadAudio's player; they differ by version.
    For a file that is still to be chosen, older ones put the first that there is."""
    kept = {}
    for key, entry in prompt.items():
        groups = server.object_info(entry["class_type"])["input"].values()
        known = set().union(*groups) - UNCHOSEN.get(entry["class_type"], set())
        inputs = {name: value for name, value in entry["inputs"].items() if name in known}
        kept[key] = {"class_type": entry["class_type"], "inputs": inputs}
    return kept


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_loads_whole_and_makes_the_committed_prompt(
    server: Server, pages: dict[str, Any], mode: str, name: str
) -> None:
    found = pages[mode]["workflows"][name]
    assert found["missing"] == []
    made, committed = (without_page_only_inputs(server, p) for p in (found["prompt"], api_prompt(name)))
    assert made == committed


def finished(pages: dict[str, Any], mode: str) -> dict[str, Any]:
    if not pages[mode]["ready"]:
        pytest.skip(f"Vue nodes are not finished in frontend {pages[mode]['version']}, from 1.35 they are")
    return pages[mode]


def overlap(one: list[Any], other: list[Any]) -> bool:
    """Boxes are [kind, left, top, width, height]."""
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (1, 2))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_an_opened_workflow_can_be_read(pages: dict[str, Any], mode: str, name: str) -> None:
    """At 1600 x 900, as ComfyUI fits what the template browser opens."""
    found = finished(pages, mode)["workflows"][name]
    assert found["zoom"] >= LEAST_ZOOM
    assert not found["textHidden"]
    pairs = itertools.combinations(found["boxes"], 2)
    assert [(one[0], other[0]) for one, other in pairs if overlap(one, other)] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", RUN)
def test_a_workflow_opens_without_a_complaint(pages: dict[str, Any], mode: str, name: str) -> None:
    assert pages[mode]["workflows"][name]["complaint"] == ""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", RUN)
def test_a_workflow_runs_and_plays_on_the_node(
    server: Server, pages: dict[str, Any], mode: str, name: str
) -> None:
    player = finished(pages, mode)["players"][name]
    assert player["source"], "no video appeared on the node"
    query = parse_qs(urlsplit(player["source"]).query)
    file = {name: query[name][0] for name in ("filename", "subfolder", "type")}
    side = 512 if "paste back" in name else 256  # into the sample portrait, or as the model draws
    assert server.clip(file).frames.shape == (125, side, side, 3)
    assert player["width"] in (0, side)  # 0 in a Chromium without H.264


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", RUN)
def test_the_sampler_says_what_a_run_takes_and_what_is_left_of_it(
    pages: dict[str, Any], mode: str, name: str
) -> None:
    found = finished(pages, mode)
    line = found["workflows"][name]["cost"]
    assert re.match(r"125 frames · 11 clips · (about \d+|time known after) .* · 0\.\d GB", line), line
    left = [re.search(r"(\d+ min )?\d+ s left", said) for said in found["players"][name]["said"]]
    assert any(left), found["players"][name]["said"]


@pytest.mark.parametrize("mode", MODES)
def test_a_curve_that_is_too_long_is_refused_and_freezes_nothing(pages: dict[str, Any], mode: str) -> None:
    curves = finished(pages, mode)["panels"]["curve"]
    assert {name for name, found in curves.items() if found["wrong"]} == {
        "a slip of the finger",
        "no number",
        "too many",
    }
    assert curves["a slip of the finger"]["note"] == "Not understood: 1e9:5"
    assert curves["no number"]["note"] == "Not understood: 1e400:5"
    assert curves["too many"]["note"] == "10001 points, at most 10000 are read"
    assert curves["many"]["note"] == "10000 points: edit them as text"
    assert max(found["elements"] for found in curves.values()) < 60


@pytest.mark.parametrize("mode", MODES)
def test_a_box_that_was_drawn_on_another_picture_is_questioned(pages: dict[str, Any], mode: str) -> None:
    box = finished(pages, mode)["panels"]["box"]
    drawn = box["drawn"]["values"]
    assert min(drawn[2:]) > 0
    assert box["other"] == {"note": "Drawn for another picture", "values": drawn}
    assert box["back"] == box["drawn"]
    assert box["kept"] == box["drawn"]
    assert box["cleared"]["values"] == [0, 0, 0, 0]


@pytest.mark.parametrize("mode", MODES)
def test_people_are_added_selected_and_removed_on_the_picture(pages: dict[str, Any], mode: str) -> None:
    """In a picture of two, of whom the first is detected."""
    people = finished(pages, mode)["panels"]["people"]
    assert people["alone"]["more"] == "" and people["alone"]["tags"] == ["detected"]
    x, y, width, height = map(int, people["added"]["more"].split(", "))
    detected = int(people["alone"]["note"].split()[-2].rstrip(","))
    assert abs(x - detected) > 300 and people["added"]["tags"] == ["1 detected", "2"]
    assert people["added"]["note"].startswith(f"2: {width} × {height} at {x}, {y}")
    assert people["moved"]["more"] == f"{x}, {y + 10}, {width}, {height}"
    assert people["first"]["note"].startswith("1: Detected ")
    assert people["removed"] == people["alone"] and people["undone"] == people["removed"]
    assert {(said["handles"], said["nodes"]) for said in people.values()} == {(8, 2)}


@pytest.mark.parametrize("mode", MODES)
def test_our_scripts_log_no_error(pages: dict[str, Any], mode: str) -> None:
    assert pages[mode]["errors"] == []
