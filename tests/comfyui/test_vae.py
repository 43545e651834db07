"""A checkpoint's VAE in ComfyUI gives the library's pictures and latents."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_modules.checkpoints.store import save_checkpoint
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
