"""EMO's checkpoints: bit-equal round trips, split files, and errors that say what is wrong with a file."""

import json
import pickle
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.speech.wav2vec2 import AudioEncoder

NOTES = {"licence": "Apache-2.0"}


@pytest.fixture
def parts(small_config) -> dict[str, nn.Module]:
    encoder = AudioEncoder(small_config.audio.encoder, small_config.audio.normalize)
    extras = {"vae": build_vae(small_config), "audio_encoder": encoder}
    return dict(EMO(small_config).named_children()) | extras


@pytest.fixture
def saved(tmp_path, small_config, parts) -> Path:
    path = tmp_path / "small.safetensors"
    assert save_checkpoint(path, small_config, parts, NOTES) == [path]
    return path


def state(parts: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in nn.ModuleDict(parts).state_dict().items()}


def loaded_state(path: Path, **options) -> dict[str, Tensor]:
    found = load_checkpoint(path, **options)
    extras = {"vae": found.vae, "audio_encoder": found.audio_encoder}
    return state(dict(found.model.named_children()) | extras)


def assert_equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def rewrite(path: Path, tensors: dict[str, Tensor]) -> None:
    with safe_open(path, framework="pt") as reader:
        metadata = reader.metadata()
    save_file(tensors, path, metadata)


def message(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_round_trip_is_bit_equal(saved, small_config, parts):
    found = load_checkpoint(saved)
    assert_equal(loaded_state(saved), state(parts))
    assert found.config == small_config
    assert found.notes == NOTES
    assert not found.model.training
    assert not found.vae.training
    assert stat.S_IMODE(saved.stat().st_mode) == 0o644
    assert [file.name for file in saved.parent.iterdir()] == ["small.safetensors"]


def test_loaded_parts_compute_what_the_saved_ones_did(saved, parts):
    found = load_checkpoint(saved)
    images, sound = torch.rand(1, 3, 64, 64) * 2 - 1, torch.randn(1, 400)
    assert torch.equal(found.vae.encode(images), parts["vae"].encode(images))
    assert torch.equal(found.audio_encoder(sound), parts["audio_encoder"].eval()(sound))
    latents = torch.randn(1, 4, 8, 8)
    expected = parts["reference_net"].write(latents)[0].tokens
    # a loaded model's linear layers are those for its device, which round otherwise
    assert torch.allclose(found.model.reference_net.write(latents)[0].tokens, expected, atol=1e-5)


def test_vae_and_audio_encoder_may_be_left_out(tmp_path, small_config):
    save_checkpoint(tmp_path / "bare.safetensors", small_config, dict(EMO(small_config).named_children()))
    found = load_checkpoint(tmp_path / "bare.safetensors")
    assert found.vae is None
    assert found.audio_encoder is None


def test_half_precision_file_loads_in_the_wanted_precision(tmp_path, small_config, parts, saved):
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, small_config, parts, dtype=torch.float16)
    assert path.stat().st_size < 0.7 * saved.stat().st_size
    wanted = {key: value.half() for key, value in state(parts).items()}
    assert_equal(loaded_state(path, dtype=None), wanted)
    assert_equal(loaded_state(path), {key: value.float() for key, value in wanted.items()})
    assert_equal(loaded_state(path, dtype=torch.bfloat16), {k: v.bfloat16() for k, v in wanted.items()})


def test_a_checkpoint_split_to_a_size_loads_by_folder_name_or_piece(tmp_path, small_config, parts):
    path, limit = tmp_path / "split.safetensors", 200_000
    pieces = save_checkpoint(path, small_config, parts, NOTES, max_bytes=limit)
    assert [piece.name for piece in pieces[:2]] == [
        f"split-{k:05}-of-{len(pieces):05}.safetensors" for k in (1, 2)
    ]
    assert sorted(tmp_path.iterdir()) == pieces
    assert all(piece.stat().st_size <= limit for piece in pieces)
    for name in (tmp_path, path, pieces[1]):
        assert_equal(loaded_state(name), state(parts))
    assert load_checkpoint(path).notes == NOTES


def test_saving_again_removes_the_pieces_of_the_earlier_save(tmp_path, small_config, parts):
    path = tmp_path / "again.safetensors"
    save_checkpoint(path, small_config, parts, max_bytes=200_000)
    fewer = save_checkpoint(path, small_config, parts, max_bytes=400_000)
    assert sorted(tmp_path.iterdir()) == fewer
    assert save_checkpoint(path, small_config, parts, max_bytes=10**8) == [path]
    assert sorted(tmp_path.iterdir()) == [path]


def test_pieces_of_two_saves_are_not_mixed(tmp_path, small_config, parts):
    pieces = save_checkpoint(tmp_path / "a.safetensors", small_config, parts, max_bytes=200_000)
    old = pieces[0].read_bytes()
    parts["face_locator"].conv_in.bias.add_(1)
    save_checkpoint(tmp_path / "a.safetensors", small_config, parts, max_bytes=200_000)
    pieces[0].write_bytes(old)
    assert "are of different checkpoints" in message(tmp_path)


def test_a_lost_piece_is_named(tmp_path, small_config, parts):
    pieces = save_checkpoint(tmp_path / "a.safetensors", small_config, parts, max_bytes=200_000)
    pieces[1].unlink()
    assert f"{pieces[1].name} is missing" in message(tmp_path)


def test_a_tensor_larger_than_a_file_may_be_is_named(tmp_path, small_config, parts):
    with pytest.raises(ValueError, match=r"\S+\.weight alone takes \d+ bytes, a file may take \d+"):
        save_checkpoint(tmp_path / "a.safetensors", small_config, parts, max_bytes=20_000)
    assert not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_old_file_and_no_other(saved, small_config, parts, monkeypatch):
    before = saved.read_bytes()

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("emo_modules.checkpoints.files.save_file", full)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(saved, small_config, parts)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize(
    ("parts", "notes", "expected"),
    [
        ({"text_encoder": nn.Linear(1, 1)}, {}, "got text_encoder"),
        ({}, {"emo_config": "x"}, "a note may not be called emo_config"),
    ],
)
def test_names_that_a_checkpoint_does_not_have_are_refused(tmp_path, small_config, parts, notes, expected):
    with pytest.raises(ValueError, match=expected):
        save_checkpoint(tmp_path / "a.safetensors", small_config, parts, notes)


def test_report_of_missing_unexpected_and_misshaped_keys_is_complete(saved):
    tensors = load_file(saved)
    motion = [key for key in tensors if "motion_modules" in key]
    for key in motion:
        del tensors[key]
    tensors |= {"backbone.extra": torch.zeros(1), "face_locator.conv_in.weight": torch.zeros(4, 3, 3, 3)}
    rewrite(saved, tensors)
    text = message(saved)
    assert f"{len(motion)} missing, 1 unexpected, 1 of another shape" in text
    assert ", ".join(sorted(motion)[:10]) + f", and {len(motion) - 10} more" in text
    assert "unexpected: backbone.extra" in text
    assert "face_locator.conv_in.weight (4, 3, 3, 3) instead of (4, 1, 3, 3)" in text
    assert "Expected is an EMO checkpoint" in text


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04 weights of another time", "a zip archive, as torch.save writes them"),
        (pickle.dumps({"state_dict": 1}), "a Python pickle"),
        (b"<!DOCTYPE html><html>please log in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"no weights in here at all", "25 bytes that are no safetensors file"),
    ],
)
def test_files_that_are_no_safetensors_are_described(tmp_path, content, found):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    text = message(path)
    assert f"found {found}" in text
    assert "expected an EMO checkpoint" in text


def test_truncated_files_are_described(saved):
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-1000])
    assert f"a damaged safetensors file: {len(whole) - 1000} bytes of {len(whole)}" in message(saved)
    saved.write_bytes(whole[:200])
    assert re.search(r"a truncated safetensors file: 200 bytes, its header alone takes \d+", message(saved))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", "a diffusers UNet"),
        ("model.diffusion_model.input_blocks.0.0.weight", "a single-file Stable Diffusion checkpoint"),
        ("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight", "an AnimateDiff motion module"),
        ("wav2vec2.feature_extractor.conv_layers.0.conv.weight", "a wav2vec2 speech encoder"),
        ("decoder.conv_in.weight", "an image autoencoder"),
        ("lora_a", "tensors such as lora_a"),
    ],
)
def test_weights_of_another_model_are_named(tmp_path, key, found):
    path = tmp_path / "x.safetensors"
    save_file({key: torch.zeros(1)}, path)
    text = message(path)
    assert f"found {found}" in text
    assert "The demo model comes with this project" in text


def test_configuration_of_a_newer_version_is_refused_by_name(saved):
    with safe_open(saved, framework="pt") as reader:
        metadata = reader.metadata()
    metadata["emo_config"] = json.dumps(json.loads(metadata["emo_config"]) | {"colour": 1})
    save_file(load_file(saved), saved, metadata)
    assert "EMOConfig has no field colour" in message(saved)


def test_nothing_there(tmp_path):
    for path in (tmp_path, tmp_path / "x.safetensors"):
        with pytest.raises(FileNotFoundError, match="nothing there"):
            load_checkpoint(path)


KL = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [8, 8],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
}
TINY = {
    "_class_name": "AutoencoderTiny",
    "latent_channels": 4,
    "encoder_block_out_channels": [8, 8],
    "decoder_block_out_channels": [8, 8],
    "num_encoder_blocks": [1, 1],
    "num_decoder_blocks": [1, 1],
}


@pytest.mark.parametrize("settings", [KL, TINY])
def test_diffusers_autoencoders_are_theirs_with_scaled_mean_latents(small_config, settings):
    import diffusers

    vae = build_vae(replace(small_config, vae=settings, latent_scale=0.5)).eval()
    fields = {key: value for key, value in settings.items() if key != "_class_name"}
    theirs = getattr(diffusers, settings["_class_name"])(**fields).eval()
    theirs.load_state_dict(vae.state_dict())
    images = torch.rand(2, 3, 16, 24) * 2 - 1
    encoded = theirs.encode(images)
    latents = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded.latents
    assert torch.allclose(vae.encode(images), latents * 0.5, atol=1e-6)
    assert torch.allclose(vae.decode(latents * 0.5), theirs.decode(latents).sample, atol=1e-6)


def test_unsuitable_autoencoders_are_refused(small_config):
    with pytest.raises(ValueError, match="small names 'VQModel'"):
        build_vae(replace(small_config, vae={"_class_name": "VQModel"}))
    with pytest.raises(ValueError, match="latent_scale is 1, not 0.5"):
        build_vae(replace(small_config, latent_scale=0.5))


def test_paper_preset_names_stable_diffusions_autoencoder():
    with torch.device("meta"):
        vae = build_vae(EMOConfig.sd15())
    assert sum(p.numel() for p in vae.parameters()) == 83_653_863
