"""The decoder of the linear autoencoder: what it sees, what it learns, how it is measured."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.media.image import to_signed
from emo_modules.models.patch_vae import PatchVAE
from emo_people.networks.fit import create_net
from emo_people.networks.pool import FIELDS, Pool
from emo_people.recipe.components import face_patches
from emo_people.recipe.config import BUILT_IN, PATCH_VAE
from emo_people.recipe.decoder import Crops, DecoderTraining, make_vae, reconstruction_loss, train_decoder
from emo_people.recipe.decoder_figures import (
    DecoderFigures,
    draw_decoded,
    eye_boxes,
    measure_decoder,
    reach_gate,
)

SIDE = 64
EYE = (24.0, 20.0)  # the centre of the first
MOUTH = (32.0, 44.0)


def landmarks(count: int) -> Tensor:
    points = np.zeros((68, 2), np.float32)
    around = np.array([(-4, 0), (-2, -2), (2, -2), (4, 0), (2, 2), (-2, 2)], np.float32)
    points[36:42], points[42:48], points[48:68] = around + EYE, around + (40, 20), MOUTH
    return torch.from_numpy(points).expand(count, 68, 2)


def stripes(count: int) -> Tensor:
    """uint8 (count, 64, 64, 3): finer than few components can hold."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    wave = torch.stack([((x + 2 * y * (k % 2) + k) % 5 < 2) * 200 + 20 for k in range(count)])
    return wave[..., None].expand(-1, -1, -1, 3).to(torch.uint8).contiguous()


def places() -> Tensor:
    """A picture (1, 64, 64, 3) whose red says x and green says y."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return torch.stack([x, y, x], -1)[None].to(torch.uint8)


def test_crops_lie_about_eyes_and_mouth_or_anywhere_and_face_both_ways(monkeypatch):
    monkeypatch.setattr("emo_people.recipe.decoder.GAIN", 0.0)
    crops = Crops(places(), landmarks(1), 16).draw(400)
    assert crops.shape == (400, 3, 16, 16)
    found = ((crops + 1) * 127.5).round()
    x, y = found[:, 0, 0], found[:, 1, :, 0]
    assert ((y[:, 1:] - y[:, :-1]) == 1).all() and ((x[:, 1:] - x[:, :-1]).abs() == 1).all()
    assert 0.4 < (x[:, 0] < x[:, 1]).float().mean() < 0.6

    def share(point: tuple[float, float]) -> float:
        return float(((x == point[0]).any(1) & (y == point[1]).any(1)).float().mean())

    assert share(EYE) > 0.19 and share(MOUTH) > 0.19  # a sixth of the crops, and some by chance
    assert share((56.0, 6.0)) < 0.12
    assert x.min() == 0 and x.max() == SIDE - 1


def test_half_of_the_patches_lie_in_the_face_and_half_of_them_in_a_mirror():
    patches = face_patches(places(), torch.tensor([[20.0, 10.0, 40.0, 26.0]]))
    assert patches.shape == (120, 3, 8, 8)
    found = ((patches + 1) * 127.5).round()
    x, y = found[:, 0, 0], found[:, 1, :, 0]
    mirrored = x[:, 0] > x[:, 1]
    assert mirrored[:60].sum() == mirrored[60:].sum() == 30
    assert x[60:].min() == 20 and x[60:].max() == 39 and y[60:].min() == 10 and y[60:].max() == 25
    assert x[:60].min() < 10 and x[:60].max() > 54 and y[:60].max() > 54


def test_the_built_in_decoder_is_cheap_enough_for_a_processor():
    vae = build_vae(replace(EMOConfig(), latent_channels=24, latent_scale=1.0, vae=PATCH_VAE))
    assert isinstance(vae, PatchVAE) and vae.encoder is None
    with FlopCounterMode(display=False) as counted:
        assert vae.decode(torch.zeros(1, 24, 32, 32)).shape == (1, 3, 256, 256)
    assert counted.get_total_flops() < 5e9
    assert sum(parameter.numel() for parameter in vae.decoder.parameters()) < 1.5e6


def test_noise_lies_on_half_of_the_latents():
    crops = Crops(places(), landmarks(1), 16)
    strength = crops.noise(torch.zeros(600, 4, 8, 8), 0.1).std((1, 2, 3))
    assert 0.4 < (strength == 0).float().mean() < 0.6
    assert 0.08 < strength.max() < 0.12
    assert not crops.noise(torch.zeros(4, 4, 8, 8), 0.0).any()


def test_the_decoder_learns_and_the_components_stay(monkeypatch):
    steps = iter(range(10_000))
    monkeypatch.setattr("emo_people.networks.fit.time.monotonic", lambda: next(steps))
    pictures, lines = stripes(4), []
    vae = create_net(lambda: PatchVAE(3, (16, 16, 8), (1, 1, 1), linear=True), 0)
    vae.start_from_components(to_signed(pictures))
    latents, before = vae.encode(to_signed(pictures)), measure_decoder(vae, pictures, landmarks(4))
    with torch.enable_grad():
        train_decoder(
            vae,
            pictures,
            landmarks(4),
            DecoderTraining(0.75, lr=5e-3, batch=6, crop=32, energy=0.0),
            lines.append,
        )
    assert lines == ["decoder: 44 steps"]
    after = measure_decoder(vae, pictures, landmarks(4))
    assert after.whole > before.whole + 1 and after.eyes > before.eyes + 1
    assert torch.equal(vae.encode(to_signed(pictures)), latents)
    assert not any(p.requires_grad for p in vae.parameters())


def test_what_is_softer_than_the_truth_costs_more_the_more_energy_counts():
    target = to_signed(stripes(1))
    soft, sharp = 0.8 * target, target + 0.01
    assert reconstruction_loss(target, target, 1.0) == 0
    assert reconstruction_loss(sharp, target, 9.0) == pytest.approx(0.01, rel=1e-3)
    plain, weighed = (reconstruction_loss(soft, target, energy) for energy in (0.0, 2.0))
    strength = target.diff(dim=-1).square().mean().sqrt() + target.diff(dim=-2).square().mean().sqrt()
    assert (weighed - plain) / 2 == pytest.approx(0.2 * strength.item(), rel=0.1)


class Fading(PatchVAE):
    """Loses half of the contrast in the eyes, and all of what lies elsewhere."""

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, latents: Tensor) -> Tensor:
        made = torch.zeros_like(latents)
        for rows, columns in eye_boxes(landmarks(1)[0].numpy(), (SIDE, SIDE)):
            made[:, :, rows, columns] = latents[:, :, rows, columns] / 2
        return made


def test_figures_tell_eyes_from_the_rest():
    pictures = torch.full((2, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    pictures[:, :, ::2] = 0
    figures = measure_decoder(Fading(4, (8, 8, 8)), pictures, landmarks(2))
    assert figures.eyes == pytest.approx(-20 * np.log10(0.25), abs=1e-4)
    assert figures.whole == pytest.approx(-20 * np.log10(0.5), abs=0.2)
    assert figures.energy == pytest.approx(0.25, abs=1e-4)
    assert np.isnan(measure_decoder(Fading(4, (8, 8, 8)), pictures).eyes)


def test_an_eye_outside_the_picture_is_not_measured():
    points = landmarks(1)[0].numpy().copy()
    assert [(r.start, r.stop, c.start, c.stop) for r, c in eye_boxes(points, (SIDE, SIDE))] == [
        (17, 23, 18, 30),
        (17, 23, 34, 46),
    ]
    points[36:42, 0] += 100
    assert len(list(eye_boxes(points, (SIDE, SIDE)))) == 1


def test_the_gate_asks_for_all_three():
    good, photographs = DecoderFigures(36, 32.5, 0.92), DecoderFigures(30.5, np.nan, np.nan)
    assert reach_gate(good, photographs)
    assert not reach_gate(DecoderFigures(36, 31.9, 0.92), photographs)
    assert not reach_gate(DecoderFigures(36, 32.5, 0.89), photographs)
    assert not reach_gate(good, DecoderFigures(29.9, np.nan, np.nan))


def test_a_sheet_shows_pictures_decoded_ones_and_their_eyes():
    sheet = draw_decoded(create_net(lambda: PatchVAE(4, (8, 8, 8)), 0), stripes(3), landmarks(3), side=SIDE)
    assert sheet.size == (3 * SIDE, 4 * SIDE)
    assert np.array_equal(np.asarray(sheet)[:SIDE, :SIDE], stripes(1)[0].numpy())


def test_an_autoencoder_is_made_of_a_pool(monkeypatch):
    monkeypatch.setattr("emo_people.networks.fit.time.monotonic", itertools.count().__next__)
    rows = {name: np.zeros((4, *shape), kind) for name, (shape, kind) in FIELDS.items()}
    rows["picture"] = stripes(4).repeat(1, 4, 4, 1).numpy()
    rows["landmarks"], rows["box"] = landmarks(4).numpy(), np.full((4, 4), (0, 0, 200, 200), np.float32)
    config, lines = replace(BUILT_IN, vae=PATCH_VAE | {"widths": [8, 8, 8], "depths": [1, 1, 1]}), []
    training = DecoderTraining(0.1, batch=2, crop=32)
    vae = make_vae(config, Pool(**rows), training, torch.device("cpu"), lines.append)
    assert lines == ["decoder: 5 steps"] and not any(p.requires_grad for p in vae.parameters())
    assert measure_decoder(vae, torch.from_numpy(rows["picture"])).whole > 20  # by its components
