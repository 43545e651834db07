"""Videos larger than the model draws: the portrait's own pixels move."""

import pytest
import torch
import torch.nn.functional as F

from emo_modules.media.audio import Audio
from emo_modules.models.moving import Drawing, Painting, move
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.sampling.enlarge import Enlarger, video_sides

FRAMES, CHANNELS = 5, 6


class Drawn:
    """In a model's place: the same displacement and share hidden everywhere."""

    def __init__(self, displacement: float, hidden: float) -> None:
        self.field = torch.full((FRAMES, 2, 16, 16), displacement)
        self.hidden = torch.full((FRAMES, 1, 8, 8), hidden)

    def draw(self, latents: torch.Tensor, steps: torch.Tensor, conditions: None) -> Drawing:
        assert (steps == 0).all()
        painting = Painting(latents, latents, self.hidden, self.hidden)
        share = self.hidden.sigmoid()
        return Drawing(self.field, self.hidden, latents, painting, latents, share)


@pytest.fixture(scope="module")
def pipeline(make_pipeline, moving_config) -> Pipeline:
    return make_pipeline(moving_config)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return F.interpolate(noise, (128, 128), mode="bicubic").clamp(-1, 1)


@torch.no_grad()
def test_what_the_portrait_shows_is_its_own_pixels_moved(pipeline, picture):
    drawn, vae = Drawn(4 / 128, -30.0), pipeline.vae
    large = Enlarger(drawn, vae.encode, vae.decode, picture)(torch.zeros(FRAMES, CHANNELS, 8, 8), None)
    expected = vae.encode(move(picture, drawn.field))
    torch.testing.assert_close(large, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_it_does_not_show_is_the_small_picture_enlarged(pipeline, picture):
    drawn, vae = Drawn(0.0, 30.0), pipeline.vae
    small = torch.randn(FRAMES, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(1))
    large = Enlarger(drawn, vae.encode, vae.decode, picture)(small, None)
    shown = F.interpolate(vae.decode(small).clamp(-1, 1), (128, 128), mode="bicubic").clamp(-1, 1)
    torch.testing.assert_close(large, vae.encode(shown), atol=1e-4, rtol=1e-4)


def test_a_larger_video_has_the_smaller_ones_performance(pipeline, portrait):
    sound = Audio(torch.randn(640 * 9, generator=torch.Generator().manual_seed(2)))
    small, large = (
        torch.cat(list(pipeline.animate(portrait, sound, Options(size=size)).frames)) for size in (None, 128)
    )
    assert small.shape == (9, 64, 64, 3)
    assert large.shape == (9, 128, 128, 3)
    assert large.isfinite().all()


@pytest.mark.parametrize("size", [32, 72])
def test_sizes_that_cannot_be_are_refused(pipeline, size):
    with pytest.raises(ValueError, match=f"multiple of 16 from 64 pixels on, got {size}"):
        video_sides(pipeline.config, size)


def test_a_model_that_moves_nothing_says_that_it_has_one_size(tiny_pipeline):
    with pytest.raises(ValueError, match="tiny renders 64 x 64 pixels; leave the size out"):
        video_sides(tiny_pipeline.config, 128)
    assert video_sides(tiny_pipeline.config, 64) == (64, 64)
