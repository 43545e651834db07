"""A checkpoint's VAE in ComfyUI gives the library's pictures and latents."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.checkpoints.tiny_decoder import load_tiny_decoder
from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO

SMALL_KL = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [32, 32, 32, 32],
    "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TINY = {"_class_name": "AutoencoderTiny", "latent_channels": 4}


@pytest.mark.parametrize("vae", [None, SMALL_KL, TINY], ids=["as Stable Diffusion's", "small", "tiny"])
def test_latents_and_pictures_equal_the_librarys(pack, tiny_config, tmp_path: Path, vae):
    """The library scales latents itself; in ComfyUI the model does it when it samples."""
    torch.manual_seed(0)
    config = replace(tiny_config, vae=vae or EMOConfig.sd15().vae, latent_channels=4, latent_scale=0.18215)
    ours = build_vae(config).eval()
    path = tmp_path / "with_vae.safetensors"
    save_checkpoint(path, config, dict(EMO(config).named_children()) | {"vae": ours})
    theirs = pack.module("nodes.managed.vae").load_vae(
        pack.module("emo_modules.checkpoints.store").read_checkpoint(path)
    )
    image = torch.rand(2, 32, 48, 3)
    with torch.no_grad():
        latents = ours.encode(image.movedim(-1, 1) * 2 - 1)
        pictures = ((ours.decode(latents) + 1) / 2).clamp(0, 1).movedim(1, -1)
        found = theirs.encode(image)
        assert found.shape == (2, 4, 4, 6)
        assert (found * config.latent_scale - latents).abs().max() < 1e-3 * latents.abs().max()
        assert (theirs.decode(found) - pictures).abs().max() < 1e-3


def test_a_checkpoint_without_vae_gives_none(pack, tiny_config, tmp_path: Path):
    path = tmp_path / "bare.safetensors"
    save_checkpoint(path, tiny_config, dict(EMO(tiny_config).named_children()))
    read = pack.module("emo_modules.checkpoints.store").read_checkpoint
    assert pack.module("nodes.managed.vae").load_vae(read(path)) is None


@pytest.fixture
def taesd(pack, tmp_path: Path, monkeypatch):
    """The VAE that core's Load VAE makes of TAESD's files, with random weights, and the decoder's file."""
    import comfy.taesd.taesd
    import folder_paths

    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "vae_approx", ([str(tmp_path)], {".safetensors"})
    )
    torch.manual_seed(0)
    model = comfy.taesd.taesd.TAESD()
    for parameter in model.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, a=2)
        elif parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.1)
    for part in ("encoder", "decoder"):
        save_file(getattr(model, f"taesd_{part}").state_dict(), tmp_path / f"taesd_{part}.safetensors")
    (vae,) = pack.nodes.VAELoader().load_vae("taesd")
    return vae, tmp_path / "taesd_decoder.safetensors"


def test_cores_taesd_decodes_as_the_command_line_does(pack, taesd):
    vae, file = taesd
    latents = torch.randn(3, 4, 4, 6)
    ours = load_tiny_decoder(file, EMOConfig.sd15(), "cpu", torch.float32)
    with torch.no_grad():
        expected = (ours.decode(latents * 0.18215) + 1) / 2
        found = vae.decode(latents)
    assert 0 < found.std() < found.max()
    assert (found - expected.clamp(0, 1).movedim(1, -1)).abs().max() < 1e-4


def test_cores_taesd_makes_the_film(pack, taesd, tmp_path: Path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    vae, _ = taesd
    written = {"fps": 25.0, "save_output": True, "crf": 18, "filename_prefix": "EMO"}
    (film,) = pack.run("FramesToVideo", samples={"samples": torch.randn(3, 4, 8, 6)}, vae=vae, **written)
    assert film.get_dimensions() == (48, 64)
