"""The registry's archive, unpacked alone: ComfyUI starts from it and renders the demo workflow."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from ..registry_archive import is_checkout, write_archive
from .harness import Server
from .prompts import api_prompt

ROOT = Path(__file__).parents[2]
FOLDER = "talking_Portraits-0.1"  # any name will do, but ComfyUI serves no scripts of one with a space
WORKFLOW = "EMO talking portrait"
OURS = ("emo_modules", "emo_training", "emo_people")


@pytest.fixture(scope="module")
def alone(comfyui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with nothing but the archive; a copy installed beside it cannot be imported."""
    if not is_checkout():
        pytest.skip("no git checkout: only git knows which files the registry's archive is made of")
    base = tmp_path_factory.mktemp("archive")
    write_archive(base / "pack.zip")
    with zipfile.ZipFile(base / "pack.zip") as archive:
        archive.extractall(base / "custom_nodes" / FOLDER)
    blocked = base / "blocked"
    blocked.mkdir()
    for name in OURS:
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not in the archive')\n")
    paths = [str(blocked), *filter(None, [os.environ.get("COMFYUI_PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMFYUI_PYTHONPATH", os.pathsep.join(paths))
        with Server(comfyui_path, base, pack=None) as running:
            yield running


def test_every_node_is_there_and_nothing_failed_to_import(alone: Server) -> None:
    nodes = alone.get("/object_info")
    ours = {name for name, info in nodes.items() if FOLDER in info["python_module"]}
    assert ours == set(json.loads((ROOT / "locales/en/nodeDefs.json").read_text(encoding="utf-8")))
    assert "IMPORT FAILED" not in alone.log
    assert "is not in the archive" not in alone.log


def test_the_page_gets_scripts_translations_and_workflows(alone: Server) -> None:
    paths = map(unquote, alone.get("/extensions"))
    scripts = [path for path in paths if path.startswith(f"/extensions/{FOLDER}/")]
    assert scripts
    assert all(alone.fetch(path)[0] == 200 for path in scripts)
    assert "EMOSampler" in alone.get("/i18n")["zh"]["nodeDefs"]
    assert WORKFLOW in alone.get("/workflow_templates")[FOLDER]


def test_the_demo_workflow_becomes_a_video(alone: Server) -> None:
    run = alone.run(api_prompt(WORKFLOW))
    assert (run.status, run.error) == ("success", ""), f"{run.error}\n{alone.log[-3000:]}"
    clip = alone.clip(run.video)
    assert clip.frames.shape == (125, 256, 256, 3)
    assert clip.sound is not None and clip.sound.std() > 0.01
