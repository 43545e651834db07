"""A portrait whose pixels move: the Backbone's outputs, and what becomes of them."""

from dataclasses import replace

import pytest
import torch

from emo_modules.config import EMOConfig
from emo_modules.models.conditions import KeptConditions
from emo_modules.models.emo import EMO
from emo_modules.models.moving import DETAIL, OUTPUTS, move, split_outputs
from emo_modules.schedule import alpha_bar_at, clean_estimate

FRAMES, CHANNELS = 3, 6


@pytest.fixture(scope="module")
def config(moving_config) -> EMOConfig:
    return moving_config


def picture(seed: int, size: int = 64) -> torch.Tensor:
    small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(small, (size, size), mode="bicubic").clamp(-1, 1)


def conditions(model: EMO, pixels: torch.Tensor):
    config = model.config
    conditioner = model.conditioner()
    video = conditioner.video(
        model.portrait_encoder(pixels), torch.ones(1, 1, config.height, config.width), pixels=pixels
    )
    audio = torch.randn(1, FRAMES, config.window_rows, config.audio.layers, config.audio.feature_dim)
    return conditioner.clip(video, FRAMES, audio)


def test_a_displacement_fetches_each_place_from_where_it_was():
    pixels = picture(0)
    shifted = torch.zeros(2, 2, 16, 16)
    shifted[0, 0] = 4 / 64  # what is seen here was four pixels further right
    shifted[1, 1] = -8 / 64
    right, down = move(pixels, shifted)
    torch.testing.assert_close(right[:, :, :-8], pixels[0, :, :, 4:-4], atol=1e-5, rtol=0)
    torch.testing.assert_close(down[:, 16:], pixels[0, :, 8:-8], atol=1e-5, rtol=0)


def test_each_portrait_moves_by_its_own_frames():
    pixels = torch.cat([picture(1), picture(2)])
    moved = move(pixels, torch.zeros(4, 2, 16, 16))
    torch.testing.assert_close(moved, pixels.repeat_interleave(2, 0), atol=1e-5, rtol=0)


def test_outputs_are_a_change_what_is_hidden_and_a_finer_displacement():
    change, hidden, displacement, detail = split_outputs(torch.zeros(5, CHANNELS + OUTPUTS, 8, 8))
    assert change.shape == (5, CHANNELS, 8, 8)
    assert hidden.shape == (5, 1, 8, 8)
    assert displacement.shape == (5, 2, 16, 16)
    assert detail.shape == (5, DETAIL, 16, 16)


@torch.no_grad()
def test_a_new_model_shows_the_portrait_from_noise_alone(config):
    torch.manual_seed(0)
    model = EMO(config).eval()
    pixels = picture(3)
    given, noisy = conditions(model, pixels), torch.randn(FRAMES, CHANNELS, 8, 8)
    steps = torch.full((FRAMES,), 999)
    schedule = replace(config.schedule, prediction="v_prediction", zero_terminal_snr=True)
    model.config = replace(config, schedule=schedule)
    alpha_bar = alpha_bar_at(steps, schedule)
    seen = clean_estimate(noisy, model.predict(noisy, steps, given), alpha_bar, schedule)
    # but for what an untaught painter covers
    torch.testing.assert_close(seen, model.portrait_encoder(pixels).expand_as(seen), atol=1e-4, rtol=0.02)


def test_the_refiner_sees_what_moved_and_moves_it_further(config):
    torch.manual_seed(0)
    model = EMO(config).eval()
    torch.nn.init.normal_(model.backbone.conv_out.weight, std=0.1)
    noisy, steps = torch.randn(FRAMES, CHANNELS, 8, 8), torch.full((FRAMES,), 500)
    given = conditions(model, picture(4))
    with torch.no_grad():
        coarse = model.draw(noisy, steps, given).displacement
        torch.nn.init.normal_(model.refiner.conv_out.weight, std=0.1)
        fine, other = (
            model.draw(noisy, steps, replace(given, pixels=pixels)).displacement
            for pixels in (given.pixels, picture(5))
        )
    assert (fine - coarse).abs().max() > 1e-3
    assert (fine - other).abs().max() > 1e-3


@torch.no_grad()
def test_the_painter_reads_the_motion_code(moving_config):
    torch.manual_seed(0)
    model = EMO(replace(moving_config, motion_code=True)).eval()
    painter, pixels, detail = model.painter, picture(4), torch.randn(1, DETAIL, 16, 16)
    code = torch.tensor([[[0.0, 0.0, 0.0, 1.6], [0.0, 0.0, 0.0, -1.0]]])
    told = model.read_code(code, model.portrait_encoder(pixels), 2)

    def difference() -> float:
        shut, open_ = (painter(detail, pixels, row[None])[0] for row in told)
        return float((shut - open_).abs().max())

    torch.nn.init.normal_(painter.conv_out.weight, std=0.1)
    assert difference() == 0
    torch.nn.init.normal_(painter.code_proj.weight, std=0.1)
    assert difference() > 1e-3


@torch.no_grad()
def test_what_is_painted_cannot_grow_without_bounds(moving_config):
    """It comes back as a motion frame: what a code far from any in training adds must not be passed on."""
    torch.manual_seed(0)
    model = EMO(replace(moving_config, motion_code=True)).eval()
    painter, pixels, detail = model.painter, picture(4), torch.randn(1, DETAIL, 16, 16)
    for layer in (painter.conv_out, painter.code_proj):
        torch.nn.init.normal_(layer.weight, std=0.1)
    code = torch.randn(1, painter.code_proj.in_features)
    usual, far = (painter(detail * size, pixels, code * size).latents.abs().max() for size in (1, 1000))
    assert 0 < far < 3 * usual


@torch.no_grad()
def test_what_is_painted_covers_what_is_there(config):
    torch.manual_seed(0)
    model = EMO(config).eval()
    torch.nn.init.normal_(model.backbone.conv_out.weight, std=0.1)
    noisy, steps = torch.randn(FRAMES, CHANNELS, 8, 8), torch.full((FRAMES,), 500)
    given, bias = conditions(model, picture(4)), model.painter.conv_out.bias
    bias[-2] = -30
    bare = model.draw(noisy, steps, given)
    bias[CHANNELS : 2 * CHANNELS] = torch.arange(CHANNELS) / 10
    torch.testing.assert_close(model.draw(noisy, steps, given).clean, bare.clean)
    torch.testing.assert_close(bare.share, bare.hidden.sigmoid())
    bias[-2] = 30
    covered = model.draw(noisy, steps, given)
    torch.testing.assert_close(covered.clean, bias[CHANNELS : 2 * CHANNELS, None, None].expand_as(noisy))
    torch.testing.assert_close(covered.share, torch.ones_like(covered.share))


def test_the_painter_sees_what_moved_and_says_what_is_hidden(config):
    torch.manual_seed(0)
    model = EMO(config).eval()
    noisy, steps = torch.randn(FRAMES, CHANNELS, 8, 8), torch.full((FRAMES,), 500)
    given = conditions(model, picture(4))
    with torch.no_grad():
        before = model.draw(noisy, steps, given)
        torch.nn.init.normal_(model.painter.conv_out.weight, std=0.1)
        after, other = (
            model.draw(noisy, steps, replace(given, pixels=pixels)) for pixels in (given.pixels, picture(5))
        )
    assert torch.equal(before.displacement, after.displacement)
    assert (before.hidden - after.hidden).abs().max() > 1e-3
    assert (before.drawn - after.drawn).abs().max() > 1e-3
    assert (after.hidden - other.hidden).abs().max() > 1e-3


@torch.no_grad()
def test_the_frame_before_a_clip_is_seen_and_the_portrait_before_the_first(config):
    torch.manual_seed(0)
    model = EMO(config).eval()
    torch.nn.init.normal_(model.backbone.conv_out.weight, std=0.1)
    given, noisy = conditions(model, picture(6)), torch.randn(FRAMES, CHANNELS, 8, 8)
    steps = torch.full((FRAMES,), 500)

    def seen(last: torch.Tensor | None) -> torch.Tensor:
        return model.draw(noisy, steps, replace(given, last=last)).displacement

    torch.testing.assert_close(seen(None), seen(given.portrait))
    assert (seen(None) - seen(given.portrait + 1)).abs().max() > 1e-3


def test_the_last_motion_frame_is_what_is_seen_unless_training_drops_it(config):
    model = EMO(config).eval()
    portrait, motion = torch.zeros(2, CHANNELS, 8, 8), torch.randn(2, config.motion_frames, CHANNELS, 8, 8)
    torch.testing.assert_close(model.conditioner().last_of(motion, portrait), motion[:, -1])
    kept = KeptConditions(torch.ones(2), torch.ones(2), torch.tensor([0.0, 1.0]))
    last = model.conditioner(kept).last_of(motion, portrait)
    torch.testing.assert_close(last, torch.stack([portrait[0], motion[1, -1]]))


def test_autocast_leaves_the_latents_in_their_own_precision(config):
    model, noisy = EMO(config).eval(), torch.randn(FRAMES, CHANNELS, 8, 8)
    given = conditions(model, picture(5))
    with torch.autocast("cpu", torch.bfloat16):
        drawing = model.draw(noisy, torch.full((FRAMES,), 500), given)
    assert drawing.clean.dtype == drawing.drawn.dtype == torch.float32


@torch.enable_grad()
def test_what_is_drawn_teaches_neither_the_displacement_nor_what_is_hidden(config):
    torch.manual_seed(0)
    model = EMO(config)
    torch.nn.init.normal_(model.backbone.conv_out.weight, std=0.1)
    drawing = model.draw(
        torch.randn(FRAMES, CHANNELS, 8, 8), torch.full((FRAMES,), 500), conditions(model, picture(4))
    )
    (taught,) = torch.autograd.grad(drawing.clean.sum(), model.backbone.conv_out.weight, retain_graph=True)
    assert taught.unflatten(0, (CHANNELS + OUTPUTS, 4))[CHANNELS:].abs().max() == 0
    assert taught.abs().max() > 0
    (taught,) = torch.autograd.grad(drawing.displacement.sum(), model.backbone.conv_out.weight)
    assert taught.unflatten(0, (CHANNELS + OUTPUTS, 4))[CHANNELS + 1 :].abs().max() > 0


def test_speed_tokens_with_positions_tell_the_frames_apart(config):
    torch.manual_seed(0)
    levels = (True,) * len(config.backbone.block_out_channels)
    backbone = replace(config.backbone, speed_dim=8, speed_positions=True, attention_levels=levels)
    reference_net = replace(config.reference_net, attention_levels=levels)
    model = EMO(replace(config, backbone=backbone, reference_net=reference_net))
    tokens = torch.ones(1, FRAMES, 8)
    block = model.backbone.down_blocks[0].motion_modules[0].transformer_blocks[0]
    keys, values = block.hear_speed(tokens)
    assert (keys[0, 0] - keys[0, 1]).abs().max() > 1e-3
    torch.testing.assert_close(values[0, 0], values[0, 1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vae": {}}, "linear encoder of a PatchVAE"),
        ({"width": 72}, "multiples of 16"),
    ],
)
def test_impossible_ones_are_refused(config, change, words):
    with pytest.raises(ValueError, match=words):
        replace(config, **change)
