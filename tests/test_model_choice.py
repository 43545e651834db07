"""Which files a model is, and that it is loaded as chosen."""

import os

import pytest

from emo_modules.model_choice import ModelChoice, check_device


def names(choice: ModelChoice) -> list[str]:
    return [os.path.basename(path) for path, *_ in choice.stamps()]


def test_the_built_in_model_is_its_four_files() -> None:
    assert names(ModelChoice()) == [f"emo-demo-0000{k}-of-00004.safetensors" for k in (1, 2, 3, 4)]


def test_a_release_is_all_files_of_its_set(tmp_path) -> None:
    for name in ("denoising_unet.pth", "reference_unet.pth", "motion_module.pth", "vae.pth", "other.txt"):
        (tmp_path / name).write_bytes(b"x")
    found = names(ModelChoice(tmp_path / "denoising_unet.pth", vae=tmp_path / "vae.pth"))
    assert found == ["denoising_unet.pth", "motion_module.pth", "reference_unet.pth", "vae.pth"]


def test_another_content_is_another_model(tiny_checkpoint, tmp_path) -> None:
    copied = tmp_path / "tiny.safetensors"
    copied.write_bytes(tiny_checkpoint.read_bytes())
    before = ModelChoice(copied).stamps()
    assert before == ModelChoice(copied).stamps()
    os.utime(copied, (1, 1))
    assert before != ModelChoice(copied).stamps()


def test_it_is_loaded_as_chosen(tiny_checkpoint) -> None:
    weights = next(ModelChoice(tiny_checkpoint, dtype="bf16").load("cpu").model.parameters())
    assert str(weights.dtype) == "torch.bfloat16"


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="device 'nothing' cannot be used here: .*; try --device cpu"):
        check_device("nothing")
