"""A real ComfyUI: where it is, the pack loaded in this process, a running server, files for it."""

import asyncio
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from .files import Inputs, write_upscaler
from .harness import FOLDERS, PACK, Server
from .in_process import Pack, Scene, load_scene
from .releases import (
    install_small_families,
    write_release,
    write_small,
    write_vae,
    write_wav2vec2,
    write_whisper,
)

NEEDED = ("aiohttp", "yaml", "torchsde", "einops", "spandrel", "torchvision", "websocket", "psutil")


def unavailable(reason: str) -> None:
    """Skips, or fails where EMO_REQUIRE_COMFYUI says that nothing may be skipped."""
    if os.environ.get("EMO_REQUIRE_COMFYUI") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def comfyui_path() -> Path:
    """The checkout that COMFYUI_PATH names, else ~/comfy/ComfyUI."""
    path = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser()
    if not (path / "main.py").is_file():
        unavailable(
            f"no ComfyUI in {path}: git clone --depth 1 https://github.com/comfyanonymous/ComfyUI, install "
            "its requirements.txt into this environment and set COMFYUI_PATH to its folder"
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        unavailable(
            f"ComfyUI's requirements are not installed ({', '.join(missing)}): "
            f"{sys.executable} -m pip install -r {path / 'requirements.txt'} websocket-client"
        )
    return path


@pytest.fixture(scope="session")
def comfy(comfyui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """ComfyUI's module `nodes` in this process, on the CPU, with the pack in its NODE_CLASS_MAPPINGS.

    Its folders (models, input, output, temp) are empty and temporary.
    """
    base = tmp_path_factory.mktemp("in_process")
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True)
    write_small(base / "models/emo")
    before = list(sys.path)
    # First, because the pack has a folder called nodes and pytest puts the pack's root on the path.
    sys.path.insert(0, str(comfyui_path))
    cli = importlib.import_module("comfy.cli_args")
    cli.args.cpu, cli.args.base_directory = True, str(base)
    # Before `nodes`, which puts comfy/ on the path, where another module is called utils.
    importlib.import_module("utils.extra_config")
    nodes = importlib.import_module("nodes")
    assert Path(nodes.__file__) == comfyui_path / "nodes.py"
    loaded = asyncio.run(nodes.load_custom_node(str(PACK), module_parent="custom_nodes"))
    assert loaded, "ComfyUI could not load the pack; its log says why"
    # ComfyUI has modules of common names: they may not stand before those of the other tests.
    sys.path[:] = [*before, str(comfyui_path)]
    yield nodes
    sys.path[:] = before


@pytest.fixture(scope="session")
def pack(comfy: ModuleType) -> Pack:
    return Pack(comfy)


@pytest.fixture(scope="module")
def scene(pack: Pack) -> Scene:
    return load_scene(pack)


@pytest.fixture(scope="session")
def photo() -> Tensor:
    """(1, 512, 512, 3) a photograph of one person."""
    from skimage import data

    return torch.from_numpy(data.astronaut()).float()[None] / 255


@pytest.fixture(scope="session")
def taken(pack: Pack) -> Callable[..., Any]:
    """The pack's reader of what comes over wires: (type, value) -> what a node gets."""
    objects, log = pack.module("nodes.managed.objects"), logging.getLogger("test")
    return lambda kind, value, name="it": objects.take(kind, name, value, log)


@pytest.fixture(scope="session")
def server(comfyui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running ComfyUI with the pack; all tests send their prompts to this one."""
    base = tmp_path_factory.mktemp("comfyui")
    install_small_families(base)
    write_small(base / "models/emo")
    with Server(comfyui_path, base) as running:
        yield running


@pytest.fixture(scope="session")
def inputs(server: Server) -> Inputs:
    return Inputs(server.base / "input")


@pytest.fixture(scope="session")
def stand_ins(server: Server, inputs: Inputs, tones: Callable[..., Tensor]) -> Inputs:
    """What the workflows ask the user for: a photograph, speech of one second, an upscaler."""
    inputs.phone_photo("photo.png")
    inputs.sound("speech.wav", tones(1.0, 44100, 2), 44100)
    write_upscaler(server.base / "models/upscale_models/RealESRGAN_x4plus.safetensors")
    return inputs


@pytest.fixture(scope="session")
def releases(server: Server, stand_ins: Inputs) -> Inputs:
    """What the relatives' workflows ask for besides, named as released and small."""
    models = server.base / "models"
    write_release("echomimic_acc", models / "emo")
    write_release("hallo", models / "emo")
    write_whisper(models / "audio_encoders/whisper_tiny.pt")
    write_wav2vec2(models / "audio_encoders/wav2vec2-base-960h.safetensors")
    (models / "vae").mkdir(exist_ok=True)
    write_vae(models / "vae/vae-ft-mse-840000-ema-pruned.safetensors")
    return stand_ins
