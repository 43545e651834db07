"""The relatives' released files: every tensor finds its place, and the file to name is told."""

import re
from pathlib import Path

import pytest
import torch

from emo_modules.checkpoints.released import read_released
from emo_modules.checkpoints.store import load_checkpoint
from emo_modules.families.table import RELEASES

from ..relatives import (
    NAMES,
    Scene,
    copied,
    random_emo,
    release,
    shrink,
    small,
    write,
    write_release,
)

LICENCES = {"hallo": "MIT", "hallo2": "MIT", "joyhallo": "MIT", "v_express": "non-commercial research"}


@pytest.fixture(autouse=True)
def small_families(monkeypatch):
    shrink(monkeypatch)


def refusal(path: Path, kind: type[Exception] = ValueError) -> str:
    with pytest.raises(kind) as caught:
        load_checkpoint(path)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_finds_its_place(tmp_path, name):
    state = random_emo(small(name)).state_dict()
    family, tensors = read_released(write(release(name, state), tmp_path / name))
    assert family is RELEASES[name]
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[key], state[key]) for key in state)


@pytest.mark.parametrize("name", ["hallo", "echomimic", "v_express"])
def test_loaded_weights_predict_what_the_model_did(tmp_path, name):
    model, scene = random_emo(small(name)), Scene.random(small(name))
    found = load_checkpoint(write(release(name, model.state_dict()), tmp_path / name))
    assert torch.equal(scene.predict(copied(found.model)), scene.predict(model))
    assert found.config == small(name)
    assert LICENCES.get(name, "Apache-2.0") in found.notes["licence"]
    assert found.notes["source"] == RELEASES[name].source
    assert found.vae is found.audio_encoder is None


def test_files_may_be_safetensors_too(tmp_path):
    state = random_emo(small("echomimic_acc")).state_dict()
    files = {name.replace(".pth", ".safetensors"): s for name, s in release("echomimic_acc", state).items()}
    family, tensors = read_released(write(files, tmp_path))
    assert family is RELEASES["echomimic_acc"]
    assert all(torch.equal(tensors[key], state[key]) for key in state)


@pytest.mark.parametrize("name", ["hallo", "v_express"])
def test_the_folder_of_one_set_is_enough(tmp_path, name):
    main = write_release(name, tmp_path / name)
    (tmp_path / name / "net_g.pth").write_bytes(b"super-resolution, which Hallo2 comes with")
    assert read_released(main.parent)[1].keys() == read_released(main)[1].keys()
    assert load_checkpoint(main.parent).config == small(name)


def test_of_several_sets_in_a_folder_one_has_to_be_named(tmp_path):
    for name in ("echomimic", "echomimic_acc"):
        write_release(name, tmp_path)
    said = refusal(tmp_path)
    assert re.match(
        rf"{tmp_path}: expected one set .*found denoising_unet.pth, denoising_unet_acc.pth: ", said
    )
    assert said.endswith("name one file")
    assert load_checkpoint(tmp_path / "denoising_unet_acc.pth").config == small("echomimic_acc")


def test_a_folder_of_other_things_says_what_is_in_it(tmp_path):
    (tmp_path / "whisper_tiny.pt").write_bytes(b"")
    assert "found whisper_tiny.pt: name one file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "companion"),
    [
        ("echomimic", "motion_module.pth"),
        ("echomimic", "reference_unet.pth"),
        ("echomimic_pose_acc", "motion_module_pose_acc.pth"),
        ("echomimic_pose_acc", "face_locator_pose.pth"),
        ("v_express", "v_kps_guider.bin"),
        ("v_express", "audio_projection.bin"),
    ],
)
def test_a_missing_companion_is_named(tmp_path, name, companion):
    main = write_release(name, tmp_path)
    (tmp_path / companion).rename(tmp_path / "elsewhere.pth")
    assert f"{main.name} needs {companion} beside it" in refusal(main, FileNotFoundError)


@pytest.mark.parametrize("companion", ["motion_module.pth", "reference_unet.pth", "face_locator.pth"])
def test_a_companion_alone_says_which_file_to_name(tmp_path, companion):
    write_release("echomimic", tmp_path)
    said = refusal(tmp_path / companion)
    assert said.startswith(f"{tmp_path / companion} is one part of a set: name its denoising_unet file")


def test_nothing_there(tmp_path):
    assert f"{tmp_path / 'net.pth'}: nothing there; expected" in refusal(
        tmp_path / "net.pth", FileNotFoundError
    )
