"""What a video goes on from: latents, a file, or a video that core made of pictures."""

from fractions import Fraction

import pytest
import torch

from emo_modules.media.video import VideoWriter

FRAMES = 20


@pytest.fixture
def earlier(pack):
    return pack.module("nodes.managed.earlier")


@pytest.fixture
def film(tmp_path):
    """A file of grey frames, each a little lighter than the one before."""
    with VideoWriter(tmp_path / "film.mp4", 128, 128, 25, crf=1) as writer:
        for frame in range(FRAMES):
            writer.write(torch.full((128, 128, 3), 0.3 + frame / 50))
    return tmp_path / "film.mp4"


def test_a_file_and_pictures_are_taken_by_their_last_frames(taken, earlier, film):
    from comfy_api.latest import InputImpl, Types

    images = torch.stack([torch.full((128, 128, 3), 0.3 + frame / 50) for frame in range(FRAMES)])
    made = InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, audio=None, frame_rate=Fraction(25))
    )
    for video in (InputImpl.VideoFromFile(str(film)), made):
        found = taken("LATENT,VIDEO", video)
        assert earlier.frames_of(found) == FRAMES
        assert found.last.mean((1, 2, 3)).tolist() == pytest.approx(
            [0.3 + frame / 50 for frame in range(FRAMES)][-len(found.last) :], abs=0.02
        )


def test_latents_of_the_models_size_are_taken_as_they_are(taken, earlier, scene):
    latents = torch.randn(9, *scene.reference.portrait.shape[1:])
    found = taken("LATENT,VIDEO", {"samples": latents})
    config = scene.reference.net.config
    last = earlier.last_latents(found, scene.reference, config)
    assert torch.equal(last, latents[-config.motion_frames :])


def test_others_become_as_large_as_the_model_draws(taken, earlier, scene, film):
    from comfy_api.latest import InputImpl

    found = taken("LATENT,VIDEO", InputImpl.VideoFromFile(str(film)))
    last = earlier.last_latents(found, scene.reference, scene.reference.net.config)
    assert last.shape == (scene.reference.net.config.motion_frames, *scene.reference.portrait.shape[1:])


@pytest.mark.parametrize("value", [3, "film.mp4", torch.rand(4, 8, 8, 3)])
def test_anything_else_is_said(taken, value):
    with pytest.raises(ValueError, match="it must be a LATENT or a VIDEO"):
        taken("LATENT,VIDEO", value)
