"""TAESD's decoder from its own files and from diffusers', and what is none."""

from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.checkpoints.tiny_decoder import load_tiny_decoder
from emo_modules.config import EMOConfig
from emo_modules.cost.memory import Weights, memory
from emo_modules.cost.work import Work

CONFIG = EMOConfig.sd15()


@pytest.fixture(scope="module")
def theirs() -> diffusers.AutoencoderTiny:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return diffusers.AutoencoderTiny().eval()


def own_names(state: dict[str, Tensor], side: str = "decoder", first: int = 1) -> dict[str, Tensor]:
    """As TAESD's own files have them: its decoder begins with a clamp, which has no weights."""
    prefix, found = f"{side}.layers.", {}
    for key, value in state.items():
        if key.startswith(prefix):
            place, rest = key.removeprefix(prefix).split(".", 1)
            found[f"{int(place) + first}.{rest}"] = value.clone()
    return found


@pytest.fixture(params=["diffusers", "safetensors", "pth"])
def file(request, theirs, tmp_path) -> Path:
    if request.param == "diffusers":
        path = tmp_path / "diffusion_pytorch_model.safetensors"
        save_file(theirs.state_dict(), path)
        return path
    path = tmp_path / f"taesd_decoder.{request.param}"
    (torch.save if request.param == "pth" else save_file)(own_names(theirs.state_dict()), path)
    return path


@torch.no_grad()
def test_pictures_are_those_of_diffusers(file, theirs):
    """On the model's scale: TAESD takes latents as the UNet has them."""
    latents = torch.randn(2, 4, 5, 6)
    found = load_tiny_decoder(file, CONFIG, "cpu", torch.float32)
    assert torch.allclose(found.decode(latents), theirs.decode(latents).sample, atol=1e-5)
    assert found.decode(latents).shape == (2, 3, 40, 48)


def test_it_is_held_in_the_type_asked_for(file):
    half = load_tiny_decoder(file, CONFIG, "cpu", torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    assert sum(parameter.numel() for parameter in half.parameters()) < 1.3e6


def test_the_encoders_file_does_not_fit(theirs, tmp_path):
    path = tmp_path / "taesd_encoder.safetensors"
    save_file(own_names(theirs.state_dict(), "encoder", 0), path)
    with pytest.raises(
        ValueError, match=r"taesd_encoder\.safetensors does not fit TinyDecoder(.|\n)*Expected is TAESD"
    ):
        load_tiny_decoder(path, CONFIG, "cpu", None)


def test_another_file_says_what_it_is(tmp_path):
    path = tmp_path / "vae.safetensors"
    save_file({"first_stage_model.decoder.conv_in.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="Expected is TAESD's decoder .* Found an image autoencoder"):
        load_tiny_decoder(path, CONFIG, "cpu", None)


@pytest.mark.parametrize("changed", [{"latent_channels": 16}, {"latent_scale": 1.0}], ids=str)
def test_a_model_with_latents_of_its_own_is_refused_before_the_file_is_read(changed, tmp_path):
    config = replace(CONFIG, name="own", vae={}, **changed)
    with pytest.raises(ValueError, match="own has latents of its own .* leave --tiny-decoder away"):
        load_tiny_decoder(tmp_path / "absent", config, "cpu", None)


def test_decoding_takes_less_memory():
    """Of a film whose pictures are much larger than a clip's activations."""
    work = Work(replace(CONFIG, clip_frames=4), 4, 0.2, 1024, 1024, 4, 1.0, device="cuda")
    tiny = replace(work, config=replace(work.config, vae={"_class_name": "AutoencoderTiny"}))
    found = [memory(each, Weights(0, 0)).graphics for each in (work, tiny)]
    assert found[1] < 0.5 * found[0]
