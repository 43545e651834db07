"""The workflows in a real browser, as canvas and as Vue nodes: they load whole, and they run."""

import json
import os
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
DEMO = "EMO talking portrait"


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
    """What browser.mjs found. EMO_SCREENSHOTS names a folder for pictures of every node and workflow."""
    shots = os.environ.get("EMO_SCREENSHOTS")
    if shots:
        Path(shots).mkdir(parents=True, exist_ok=True)
    order = {
        "url": server.url,
        "chromium": chromium,
        "workflows": NAMES,
        "run": DEMO,
        "screenshots": shots and str(Path(shots).resolve()),
    }
    done = subprocess.run(
        ["node", DRIVER], input=json.dumps(order), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_page_only_inputs(server: Server, prompt: Prompt) -> Prompt:
    """Pages also send widgets that no node reads, such as LoadAudio's player; they differ by version."""
    kept = {}
    for key, entry in prompt.items():
        groups = server.object_info(entry["class_type"])["input"].values()
        known = set().union(*groups)
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


@pytest.mark.parametrize("mode", MODES)
def test_the_demo_runs_and_plays_on_the_node(server: Server, pages: dict[str, Any], mode: str) -> None:
    player = pages[mode]["player"]
    if player is None:
        pytest.skip(f"Vue nodes are not finished in frontend {pages[mode]['version']}, from 1.35 they are")
    assert player["source"], "no video appeared on the node"
    query = parse_qs(urlsplit(player["source"]).query)
    file = {name: query[name][0] for name in ("filename", "subfolder", "type")}
    assert server.clip(file).frames.shape == (125, 128, 128, 3)
    assert player["width"] in (0, 128)  # 0 in a Chromium without H.264


@pytest.mark.parametrize("mode", MODES)
def test_our_scripts_log_no_error(pages: dict[str, Any], mode: str) -> None:
    assert pages[mode]["errors"] == []
