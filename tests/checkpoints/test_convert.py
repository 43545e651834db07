"""`convert`: one file of ours out of a release, with configuration and licence, that predicts the same."""

import re
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from emo_modules.checkpoints.convert import convert, convert_back
from emo_modules.checkpoints.released import read_released
from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_modules.cli import main
from emo_modules.config import EMOConfig
from emo_modules.families.table import RELEASES, family_of
from emo_modules.models.emo import EMO
from emo_modules.speech.whisper import WhisperEncoder

from ..relatives import (
    NAMES,
    RELEASED,
    Scene,
    copied,
    random_emo,
    release,
    shrink,
    small,
    write,
    write_encoder,
    write_release,
    write_vae,
)


@pytest.fixture(autouse=True)
def small_families(monkeypatch):
    shrink(monkeypatch)


@pytest.mark.parametrize("name", ["hallo2", "joyhallo", "echomimic_pose", "v_express"])
def test_a_converted_file_is_the_release(tmp_path, name):
    model = random_emo(small(name))
    output = tmp_path / "converted.safetensors"
    family = convert(write(release(name, model.state_dict()), tmp_path / name), output)
    assert family is RELEASES[name]
    found = load_checkpoint(output)
    assert found.config == small(name)
    assert found.notes == family.notes
    state = found.model.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    scene = Scene.random(small(name))
    assert torch.equal(scene.predict(copied(found.model)), scene.predict(model))


def test_what_the_metadata_says(tmp_path):
    output = tmp_path / "v-express.safetensors"
    convert(write_release("v_express", tmp_path / "set"), output)
    with safe_open(output, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["licence"] == "for non-commercial research only, as its README says"
    assert metadata["source"] == "https://huggingface.co/tk93/V-Express"
    assert "CreativeML OpenRAIL-M" in metadata["terms"]
    assert EMOConfig.from_json(metadata["emo_config"]) == small("v_express")


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_released_configuration_survives_the_metadata(name):
    config = RELEASES[name].config
    assert EMOConfig.from_json(config.to_json()) == config
    assert EMOConfig.from_json(replace(config, name="other").to_json()) != config


def test_vae_and_encoder_may_go_into_the_file(tmp_path):
    config = small("echomimic")
    vae, encoder = tmp_path / "vae.safetensors", tmp_path / "whisper.safetensors"
    output = tmp_path / "whole.safetensors"
    main = write_release("echomimic", tmp_path / "set")
    convert(main, output, write_vae(config, vae), write_encoder(config, encoder))
    found = load_checkpoint(output)
    assert isinstance(found.audio_encoder, WhisperEncoder)
    for part, file in ((found.vae, vae), (found.audio_encoder, encoder)):
        state = part.state_dict()
        with safe_open(file, framework="pt") as reader:
            assert set(reader.keys()) == state.keys()
            assert all(torch.equal(reader.get_tensor(key), state[key]) for key in state)
        assert not part.training


def test_precision_of_the_file(tmp_path):
    main, output = write_release("hallo", tmp_path / "set"), tmp_path / "half.safetensors"
    convert(main, output, dtype=torch.float16)
    halved, whole = (load_checkpoint(file, dtype=None).model.state_dict() for file in (output, main))
    assert all(torch.equal(halved[key], value.half()) for key, value in whole.items())


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [("hallo", "echomimic", "expected wav2vec2-base"), ("echomimic", "hallo", "expected whisper-tiny")],
)
def test_the_encoder_of_another_family_is_refused(tmp_path, name, other, expected):
    encoder = write_encoder(small(other), tmp_path / "encoder.safetensors")
    output = tmp_path / "out.safetensors"
    with pytest.raises(ValueError, match=f"{encoder}: {expected}"):
        convert(write_release(name, tmp_path / "set"), output, audio_encoder=encoder)
    assert not output.exists()


@pytest.mark.parametrize("part", ["vae", "audio_encoder"])
def test_a_damaged_vae_or_encoder_is_called_one(tmp_path, part):
    (tmp_path / "file.pt").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"file\.pt.*found a web page") as caught:
        convert(
            write_release("hallo", tmp_path / "set"),
            tmp_path / "out.safetensors",
            **{part: tmp_path / "file.pt"},
        )
    assert "denoising_unet" not in str(caught.value)


def test_nothing_is_written_when_a_key_does_not_fit(tmp_path):
    files = release("hallo", random_emo(small("hallo")).state_dict())
    del files["net.pth"]["denoising_unet.conv_in.weight"]
    output = tmp_path / "out.safetensors"
    with pytest.raises(ValueError, match=r"net\.pth does not fit(.|\n)*backbone\.conv_in\.weight"):
        convert(write(files, tmp_path / "set"), output)
    assert not output.exists()


def test_a_file_of_ours_needs_no_conversion(tmp_path):
    output = tmp_path / "out.safetensors"
    convert(write_release("hallo", tmp_path / "set"), output)
    with pytest.raises(ValueError, match="already"):
        convert(output, tmp_path / "again.safetensors")


# The way back

# in the release, but never computed: Hallo's modules without attention, V-Express' output of ReferenceNet
UNREAD = r"denoising_unet\.(down_blocks\.3|up_blocks\.0)\.motion_modules\.|^conv_(norm_)?out\."


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_becomes_the_release_that_it_came_from(tmp_path, name):
    model = random_emo(small(name))
    save_checkpoint(
        tmp_path / "own.safetensors", small(name), dict(model.named_children()), {"title": "Mine"}
    )
    files = convert_back(tmp_path / "own.safetensors", tmp_path / name)
    expected = {file.split(".")[0]: state for file, state in release(name, model.state_dict()).items()}
    assert sorted(expected) == sorted(file.stem for file in files)
    for file in files:
        found, whole = load_file(file), expected[file.stem]
        if (name, file.stem) == ("v_express", "denoising_unet"):  # whose older temporal modules are not kept
            whole = {key: value for key, value in whole.items() if ".motion_modules." not in key}
        read = {key: value for key, value in whole.items() if not re.search(UNREAD, key)}
        assert all(torch.equal(found[key], value) for key, value in read.items() if not key.endswith(".pe"))
        assert all(torch.allclose(found[key], read[key], atol=1e-6) for key in read if key.endswith(".pe"))
    again, tensors = read_released(files[0])
    assert again is RELEASES[name]
    state = model.state_dict()
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[key], value) for key, value in state.items())


ECHOMIMIC = {"denoising_unet": 686, "motion_module": 588, "reference_unet": 570, "face_locator": 16}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("hallo", {"net": 2656}),
        ("echomimic", ECHOMIMIC),
        (
            "v_express",
            {"denoising_unet": 1386, "motion_module": 588, "reference_net": 682, "v_kps_guider": 16,
             "audio_projection": 52},
        ),
    ],
)  # fmt: skip
def test_full_sizes_have_as_many_tensors_as_the_released_files(name, counts):
    """V-Express' reference_net has two more, of an output that is never computed."""
    config = RELEASED[name].config
    with torch.device("meta"):
        state = EMO(config).state_dict()
    files = family_of(config).files.write(name, config, state)
    assert {stem: len(tensors) for stem, tensors in files.items()} == counts


def test_the_way_back_on_the_command_line(tmp_path, capsys, tiny_checkpoint):
    model = random_emo(small("echomimic"))
    save_checkpoint(tmp_path / "own.safetensors", small("echomimic"), dict(model.named_children()))
    given = ["convert", str(tmp_path / "own.safetensors"), str(tmp_path / "set"), "--as-released"]
    assert main([*given, "--dtype", "fp16"]) == 0
    written = load_file(tmp_path / "set" / "face_locator.safetensors")
    assert all(value.dtype == torch.float16 for value in written.values())
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main([*given, "--vae", "vae.safetensors"]) == 1
    assert "releases have neither VAE nor speech encoder" in capsys.readouterr().err
    given[1] = str(tiny_checkpoint)
    assert main(given) == 1
    assert "of which there is no release: expected is a checkpoint trained" in capsys.readouterr().err
