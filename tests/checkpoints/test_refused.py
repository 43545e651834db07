"""Files that hold no relative's weights, or not all: the message has the file, what was expected and found,
and the remedy."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from emo_modules.checkpoints.store import load_checkpoint

from ..relatives import positions, random_emo, release, shrink, small, write, write_release

HALLO = "https://huggingface.co/fudan-generative-ai/hallo"
ECHOMIMIC = "https://huggingface.co/BadToBest/EchoMimic"
CONV_IN = "denoising_unet.conv_in.weight"
REMEDY = (
    "Expected are the weights of {} as released. The file is damaged, of another version, or of several "
    "releases: get all of its files again from {}"
)


@pytest.fixture(autouse=True)
def small_families(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture
def tampered(tmp_path) -> Callable[..., Path]:
    """A release in which one file's tensors were changed; returns the file to name."""

    def make(family: str, file: str, change: Callable[[dict[str, Tensor]], None]) -> Path:
        files = release(family, random_emo(small(family)).state_dict())
        change(files[file])
        return write(files, tmp_path / family)

    return make


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        load_checkpoint(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a Git LFS pointer"),
        (b"Entry not found, and nothing else of any use", "44 bytes that are no safetensors file"),
    ],
)
def test_files_that_hold_no_weights(tmp_path, content, found):
    (tmp_path / "net.pth").write_bytes(content)
    said = refusal(tmp_path / "net.pth")
    assert said.startswith(f"{tmp_path / 'net.pth'}: expected weights of EMO's relatives: net.pth of Hallo")
    assert f"found {found}" in said
    assert said.endswith("Get the file again")


def test_a_truncated_pickle_archive(tmp_path):
    file = write_release("hallo", tmp_path)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    expected = rf"{file}: expected .*found a truncated download of .* bytes. Get the file again"
    assert re.match(expected, refusal(file))


def test_a_truncated_safetensors_companion_is_the_file_that_is_named(tmp_path):
    state = random_emo(small("echomimic")).state_dict()
    files = {name.replace(".pth", ".safetensors"): s for name, s in release("echomimic", state).items()}
    main = write(files, tmp_path)
    cut = tmp_path / "motion_module.safetensors"
    size = cut.stat().st_size
    cut.write_bytes(cut.read_bytes()[: size // 2])
    said = refusal(main)
    assert said.startswith(f"{cut}: expected ")
    assert f"found a damaged safetensors file: {size // 2} bytes of {size}" in said


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_pickle_is_not_run(tmp_path):
    trace = tmp_path / "it ran"
    torch.save({CONV_IN: torch.zeros(1), "more": Malicious(trace)}, tmp_path / "net.pth")
    said = refusal(tmp_path / "net.pth")
    assert not trace.exists()
    assert said.startswith(f"{tmp_path / 'net.pth'}: expected weights of EMO's relatives")
    assert "found a pickle that is damaged or holds code, which was not run. Get the file again" in said
    torch.load(tmp_path / "net.pth", weights_only=False)
    assert trace.exists()  # the trap works


def test_nobody_is_told_to_run_the_code(tmp_path):
    torch.save({"more": Malicious(tmp_path / "it ran")}, tmp_path / "net.pth")
    assert "weights_only" not in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([torch.zeros(1)], "found list"),
        ({"epoch": 3, "state_dict": {}}, "found no tensors"),
        ({"epoch": 3, "state_dict": {"lr": 1e-5}}, "found other things than tensors"),
    ],
)
def test_other_pickles(tmp_path, content, found):
    torch.save(content, tmp_path / "net.pth")
    assert found in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize("content", [{3: torch.zeros(1)}, {CONV_IN: 3}])
def test_dictionaries_of_other_things_than_tensors_by_name(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    assert str(tmp_path / "net.pth") in refusal(tmp_path / "net.pth")


def rename_conv_in(state: dict[str, Tensor]) -> None:
    state["denoising_unet.conv_inn.weight"] = state.pop(CONV_IN)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            rename_conv_in,
            ["1 missing, 1 unexpected", "backbone.conv_inn.weight", "missing: backbone.conv_in.weight"],
        ),
        (lambda state: state.pop(CONV_IN), ["1 missing, 0 unexpected", "missing: backbone.conv_in.weight"]),
        (
            lambda state: state.update({CONV_IN: torch.zeros(16, 9, 3, 3)}),
            ["(16, 9, 3, 3) instead of (16, 4, 3, 3)"],
        ),
    ],
    ids=["renamed", "missing", "another shape"],
)
def test_keys_that_do_not_fit_are_listed(tampered, change, found):
    file = tampered("hallo", "net.pth", change)
    said = refusal(file)
    assert said.startswith(f"{file} does not fit")
    assert all(part in said for part in found)
    assert said.endswith(REMEDY.format("Hallo", HALLO))


def test_keys_of_a_part_that_no_relative_has_are_refused(tampered):
    file = tampered("hallo", "net.pth", lambda state: state.update({"pose_encoder.weight": torch.zeros(1)}))
    assert "pose_encoder.weight" in refusal(file)


def test_a_motion_module_of_another_width(tampered):
    def widen(state: dict[str, Tensor]) -> None:
        for key, value in state.items():
            wide = [2 * side for side in value.shape]
            state[key] = positions(wide[-1]) if key.endswith(".pe") else torch.zeros(wide)

    said = refusal(tampered("echomimic", "motion_module.pth", widen))
    assert re.search(r"of another shape: .*motion_modules\.0\.norm\.bias \(32,\) instead of \(16,\)", said)
    assert ECHOMIMIC in said


def test_a_motion_module_with_other_position_tables(tampered):
    def shift(state: dict[str, Tensor]) -> None:
        for key in state:
            if key.endswith(".pe"):
                state[key] = state[key].roll(1, dims=1)

    said = refusal(tampered("echomimic", "motion_module.pth", shift))
    assert "pos_encoder.pe is not the sinusoidal table of AnimateDiff" in said


def test_stable_diffusion_in_place_of_the_denoiser(tampered):
    def to_text(state: dict[str, Tensor]) -> None:
        for key in state:
            if re.search(r"attn2\.to_[kv]\.weight$", key):
                state[key] = torch.zeros(len(state[key]), 768)

    file = tampered("echomimic", "denoising_unet.pth", to_text)
    said = refusal(file)
    assert said.startswith(f"{file}: expected weights of EMO's relatives")
    assert "found a diffusers UNet such as Stable Diffusion's. They are at" in said
    assert ECHOMIMIC in said


def test_a_companion_of_another_family(tmp_path):
    files = release("echomimic", random_emo(small("echomimic")).state_dict())
    other = release("v_express", random_emo(small("v_express")).state_dict())
    main = write(files | {"reference_unet.pth": other["reference_net.bin"]}, tmp_path)
    said = refusal(main)
    assert re.search(r"0 missing, \d+ unexpected.*\n.*reference_net\.conv_norm_out\.weight", said)
    assert said.endswith(REMEDY.format("EchoMimic", ECHOMIMIC))
