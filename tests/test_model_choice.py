"""Which files a model is, and that it is loaded as chosen."""

import os

import pytest

from emo_modules.checkpoints.adapter import AdapterUse
from emo_modules.model_choice import ModelChoice, check_device

from .adapters import random_lora


def test_a_release_is_all_files_of_its_set_and_no_other(tmp_path) -> None:
    parts = ("denoising_unet.pth", "reference_unet.pth", "motion_module.pth", "vae.pth")
    for name in (*parts, "other.txt"):
        (tmp_path / name).write_bytes(b"x")
    choice = ModelChoice(tmp_path / "denoising_unet.pth", vae=tmp_path / "vae.pth")
    before = choice.files_digest()
    (tmp_path / "other.txt").write_bytes(b"xx")
    assert choice.files_digest() == before
    for name in parts:
        (tmp_path / name).write_bytes(b"xx")
        assert choice.files_digest() != before, name
        before = choice.files_digest()


def test_another_content_is_another_model(tiny_checkpoint, tmp_path) -> None:
    copied = tmp_path / "tiny.safetensors"
    copied.write_bytes(tiny_checkpoint.read_bytes())
    before = ModelChoice(copied).files_digest()
    assert before == ModelChoice(copied).files_digest()
    os.utime(copied, (1, 1))
    assert before != ModelChoice(copied).files_digest()


def test_a_lora_and_its_strength_are_another_model(tiny_checkpoint, tiny_config, tmp_path) -> None:
    lora = random_lora(tmp_path / "person.safetensors", tiny_config).path
    texts = ((), (str(lora),), (f"{lora}:0.5",), (str(lora), str(lora)))
    choices = [ModelChoice(tiny_checkpoint, lora=text) for text in texts]
    assert len({choice.files_digest() for choice in choices}) == 4
    assert len({choice.load("cpu").name for choice in choices}) == 4


def test_a_lora_is_found_from_another_folder_too(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    moved = ModelChoice(lora=("loras/person.safetensors:0.25", "loras/fast.safetensors")).absolute()
    assert moved.adapters == (
        AdapterUse(tmp_path / "loras/person.safetensors", 0.25),
        AdapterUse(tmp_path / "loras/fast.safetensors"),
    )
    assert ModelChoice().absolute().adapters == ()


def test_it_is_loaded_as_chosen(tiny_checkpoint) -> None:
    weights = next(ModelChoice(tiny_checkpoint, dtype="bf16").load("cpu").model.parameters())
    assert str(weights.dtype) == "torch.bfloat16"


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="device 'nothing' cannot be used here: .*; try --device cpu"):
        check_device("nothing")
