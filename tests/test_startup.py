"""Start-up stays short: commands and nodes can be imported, and sound read, without the slow libraries."""

import ast
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW = {"diffusers", "transformers", "librosa", "numba", "sklearn", "scipy", "accelerate", "skimage", "cv2"}
SLOW |= {"huggingface_hub", "torchvision", "peft", "sympy", "torch._dynamo", "torch._inductor"}
ANIMATE = """
from emo_modules.cli import main
assert main(["animate", {portrait!r}, {sound!r}, "-o", {film!r}, "--checkpoint", {checkpoint!r}]) == 0
"""
READ_A_RECORDING = """
import torch
from emo_modules.media.audio import Audio, load_audio
from emo_modules.media.video import soundtrack
load_audio("samples/speech.wav").mono
Audio(torch.zeros(2, 4410), 44100).mono
soundtrack(Audio(torch.zeros(2, 4410), 22255), 5, 25)
"""


def loaded_by(statement: str, candidates: set[str]) -> set[str]:
    """The candidates that a fresh interpreter has loaded after running `statement` in the project's root."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return candidates & set(done.stdout.split())


def imported_with(module: str) -> set[str]:
    """Libraries that a module of the pack imports as it is imported itself, its own modules' included."""
    libraries, seen, waiting = set(), set(), [module]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        package, file = (name, path / "__init__.py") if path.is_dir() else (name.rpartition(".")[0], path)
        file = file.with_suffix(".py")
        if name in seen or not file.is_file():
            continue
        seen.add(name)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                libraries |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                libraries.add(node.module.split(".")[0])
            elif isinstance(node, ast.ImportFrom):
                base = resolve_name("." * node.level + (node.module or ""), f"pack.{package}")
                waiting += [f"{base}.{alias.name}".removeprefix("pack.") for alias in node.names]
                waiting.append(base.removeprefix("pack."))
    return libraries


def test_the_model_imports_no_slow_library() -> None:
    assert loaded_by("import emo_modules.config, emo_modules.models.emo", SLOW | {"torch"}) == {"torch"}


def test_the_command_line_imports_nothing_to_list_its_commands() -> None:
    assert loaded_by("import emo_modules.cli", SLOW | {"torch", "numpy", "av"}) == set()


def test_animate_imports_no_slow_library() -> None:
    assert loaded_by("import emo_modules.cli.animate", SLOW | {"torch"}) == {"torch"}


def test_a_film_is_rendered_without_a_slow_library(
    tmp_path, picture_file, sound_file, tiny_checkpoint
) -> None:
    """Building networks on the meta device imports torch._dynamo where a layer draws normal weights."""
    files = {"portrait": picture_file, "sound": sound_file(0.1), "checkpoint": tiny_checkpoint}
    film = tmp_path / "film.mp4"
    statement = ANIMATE.format(film=str(film), **{name: str(path) for name, path in files.items()})
    assert loaded_by(statement, SLOW | {"soxr"}) == {"soxr"}
    assert film.exists()


def test_a_recording_is_read_and_resampled_without_a_slow_library() -> None:
    assert loaded_by(READ_A_RECORDING, SLOW | {"soxr"}) == {"soxr"}


@pytest.mark.parametrize(
    "module", ["nodes", "emo_modules.cli.animate", "emo_modules.cli.render", "emo_modules.pipeline"]
)
def test_no_module_on_the_way_imports_a_slow_library(module: str) -> None:
    found = imported_with(module)
    assert {"torch", "av"} <= found
    assert found & (SLOW | {"ray"}) == set()


def test_loaded_modules_are_seen() -> None:
    assert loaded_by("import wave", {"wave", "sndhdr"}) == {"wave"}
    assert {"comfy_api", "soxr"} <= imported_with("nodes"), "not all modules were followed"
