"""The demo's autoencoder starts as principal component analysis of 8 x 8 patches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.models.patch_vae import PatchVAE

CHANNELS = 6


def smooth_images() -> Tensor:
    """(8, 3, 40, 56) in -1..1."""
    noise = torch.randn(8, 3, 12, 16)
    return F.interpolate(noise, size=(40, 56), mode="bicubic").clamp(-3, 3) / 3


def patches_of(images: Tensor) -> np.ndarray:
    """Rows of 192 = 3 x 8 x 8 values, in double precision."""
    cut = images.double().unfold(2, 8, 8).unfold(3, 8, 8)  # N, 3, rows, columns, 8, 8
    return cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, 192).numpy()


@pytest.fixture
def vae() -> PatchVAE:
    return PatchVAE(CHANNELS, (8, 8, 8))


def test_it_starts_as_principal_component_analysis(vae):
    images = smooth_images()
    vae.start_from_components(images)
    patches = patches_of(images)
    mean = patches.mean(0)
    _, _, basis = np.linalg.svd(patches - mean, full_matrices=False)
    best = mean + (patches - mean) @ basis[:CHANNELS].T @ basis[:CHANNELS]
    found = patches_of(vae.decode(vae.encode(images)))
    assert np.abs(found - best).max() < 1e-4
    assert np.abs(found - patches).mean() > 0.01


def test_latents_have_zero_mean_and_unit_variance_half_way_to_whitening(vae):
    images = smooth_images()
    vae.start_from_components(images)
    rows = vae.encode(images).permute(0, 2, 3, 1).flatten(0, 2).double()
    patches = patches_of(images)
    spread = np.linalg.svd(patches - patches.mean(0), compute_uv=False)[:CHANNELS]
    assert rows.mean(0).abs().max() < 1e-4
    assert rows.var(0).mean().item() == pytest.approx(1, abs=1e-3)
    assert np.allclose(rows.var(0) / rows.var(0).sum(), spread / spread.sum(), atol=1e-3)


@pytest.mark.parametrize("size", [(16, 16), (24, 40), (8, 64)])
def test_latents_are_an_eighth_of_the_picture(vae, size):
    latents = vae.encode(torch.rand(2, 3, *size) * 2 - 1)
    assert latents.shape == (2, CHANNELS, size[0] // 8, size[1] // 8)
    assert vae.decode(latents).shape == (2, 3, *size)


def test_corrections_start_at_zero_and_count_once_trained(vae):
    images, latents = smooth_images(), torch.randn(1, CHANNELS, 3, 4)
    assert not vae.encoder(images).any()
    assert not vae.decoder(latents).any()
    encoded, decoded = vae.encode(images), vae.decode(latents)
    for parameter in vae.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape))
    assert (vae.encode(images) - vae.patch_in(images)).abs().max() > 1e-3
    assert (vae.encode(images) - encoded).abs().max() > 1e-3
    assert (vae.decode(latents) - decoded).abs().max() > 1e-3


def test_a_linear_encoder_stays_one_and_its_decoder_learns():
    vae = PatchVAE(CHANNELS, (8, 6, 4), (1, 3, 2), linear=True)
    images, others = smooth_images(), smooth_images().flip(0)
    vae.start_from_components(images)
    components = PatchVAE(CHANNELS, (8, 8, 8))
    components.start_from_components(images)
    assert torch.equal(vae.decode(vae.encode(images)), components.decode(components.encode(images)))
    for parameter in vae.decoder.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape))
    mixed = vae.encode(0.3 * images + 0.7 * others)
    assert torch.allclose(mixed, 0.3 * vae.encode(images) + 0.7 * vae.encode(others), atol=1e-5)
    assert torch.equal(vae.encode(images), components.encode(images))
    assert (vae.decode(mixed) - components.decode(mixed)).abs().max() > 1e-3
