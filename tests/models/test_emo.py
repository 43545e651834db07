"""The whole model: new parts start as no-ops, and every condition counts once it has learned something."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from emo_modules.config import EMOConfig
from emo_modules.models.conditions import Conditions, are_few
from emo_modules.models.emo import EMO
from emo_modules.models.reads import Written

FRAMES, SIZE = 3, (8, 11)
CONDITIONS = ("reference", "motion", "audio", "mask", "speed")


def inputs(config: EMOConfig) -> dict[str, Tensor]:
    audio = config.audio
    return {
        "reference": torch.randn(1, 4, *SIZE),
        "mask": torch.rand(1, 1, 8 * SIZE[0], 8 * SIZE[1]),
        "audio": torch.randn(1, FRAMES, 2 * audio.context + 1, audio.layers, audio.feature_dim),
        "motion": torch.randn(1, config.motion_frames, 4, *SIZE),
        "speed": torch.tensor([[0.0, 12.0, 40.0]]),
    }


def conditions(model: EMO, given: dict[str, Tensor | None]) -> Conditions:
    conditioner = model.conditioner()
    video = conditioner.video(given["reference"], given["mask"])
    return conditioner.clip(video, FRAMES, given["audio"], given["speed"], motion=given["motion"])


def predict(model: EMO, found: Conditions) -> Tensor:
    x = torch.randn(FRAMES, 4, *SIZE, generator=torch.Generator().manual_seed(3))
    return model.predict(x, torch.full((FRAMES,), 400), found)


def randomised(config: EMOConfig) -> EMO:
    model = EMO(config)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.2)
    return model


@pytest.mark.parametrize("name", ["motion", "audio", "mask", "speed"])
def test_new_parts_start_as_exact_no_ops(small_config, name):
    model, given = EMO(small_config), inputs(small_config)
    with_it = predict(model, conditions(model, given))
    without = predict(model, conditions(model, given | {name: None}))
    assert torch.equal(with_it, without)
    assert with_it.std() > 0.01


def test_temporal_modules_start_as_exact_no_ops(small_config):
    model = EMO(small_config)
    still = EMO(small_config)
    for block, j in still.backbone.places():
        if j == 0:
            block.motion_modules = nn.ModuleList()
    still.load_state_dict({k: v for k, v in model.state_dict().items() if "motion_modules" not in k})
    found = conditions(model, inputs(small_config))
    assert torch.equal(predict(model, found), predict(still, found))


def test_reference_counts_from_the_start(small_config):
    model, given = EMO(small_config), inputs(small_config)
    one = predict(model, conditions(model, given))
    assert (one - predict(model, conditions(model, given).uncond())).abs().max() > 1e-3


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_changes_the_output_of_trained_weights(small_config, name):
    model, given = randomised(small_config), inputs(small_config)
    other = given | {name: given[name].flip(1 if name == "speed" else -1)}
    one, two = (predict(model, conditions(model, g)) for g in (given, other))
    assert (one - two).abs().max() > 1e-4 * one.abs().max()


def test_motion_frames_are_zero_maps_before_the_first_clip(small_config):
    model, given = randomised(small_config), inputs(small_config)
    conditioner = model.conditioner()
    video = conditioner.video(given["reference"], None)
    written = model.reference_net.write(given["motion"][0])
    zeros = [Written(None, torch.zeros_like(layer.map)) for layer in written]
    frames = small_config.motion_frames
    expected = model.backbone.project(video.reads, past=zeros, motion_frames=frames)
    first = conditioner.clip(video, FRAMES, None)
    for zero, row in zip(expected, first.reads, strict=True):
        for a, b in zip(tree_leaves(zero.motion), tree_leaves(row.motion), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()


def test_wrong_number_of_motion_frames_is_refused(small_config):
    model, given = EMO(small_config), inputs(small_config)
    with pytest.raises(ValueError, match="motion needs 2 frames, got 1"):
        conditions(model, given | {"motion": given["motion"][:, :1]})


@pytest.mark.parametrize("positions", [False, True])
def test_unconditional_equals_zero_reference_and_audio_tokens(small_config, positions):
    config = replace(small_config, backbone=replace(small_config.backbone, reference_positions=positions))
    model = randomised(config)
    found = conditions(model, inputs(config))
    written = [
        Written(None if layer.tokens is None else torch.zeros_like(layer.tokens), None)
        for layer in model.reference_net.write(torch.zeros(1, 4, *SIZE))
    ]
    silence = torch.zeros(FRAMES, 3, config.backbone.audio_dim)
    zeros = replace(found, reads=model.backbone.project(found.reads, reference=written, audio=silence))
    expected = predict(model, zeros)
    difference = (predict(model, found.uncond()) - expected).abs().max()
    assert difference < 1e-6 * expected.abs().max()
    assert (predict(model, found) - expected).abs().max() > 1e-3 * expected.abs().max()


def test_clips_of_a_batch_do_not_touch_each_other(small_config):
    model = randomised(small_config)
    one, two = inputs(small_config), inputs(small_config)
    both = conditions(model, {name: torch.cat([one[name], two[name]]) for name in one})
    x = torch.randn(2 * FRAMES, 4, *SIZE)
    steps = torch.full((2 * FRAMES,), 400)
    batch = model.predict(x, steps, both)
    alone = torch.cat(
        [
            model.predict(part, steps[:FRAMES], conditions(model, given))
            for part, given in zip(x.split(FRAMES), (one, two), strict=True)
        ]
    )
    assert (batch - alone).abs().max() < 1e-5 * alone.abs().max()


def test_presets_build_and_reference_net_has_the_backbones_widths(demo_config):
    with torch.device("meta"):
        paper, demo = EMO(EMOConfig.sd15()), EMO(demo_config)
    for model in (paper, demo):
        backbone = dict(model.backbone.named_parameters())
        shared = {n: p for n, p in model.reference_net.named_parameters() if ".norm2" not in n}
        if model.config.moving:  # its Backbone also takes the portrait's latent in
            del shared["conv_in.weight"]
        assert all(backbone[n].shape == p.shape for n, p in shared.items())
    assert len(list(paper.backbone.places())) == 21


def test_guidances_halves_in_one_batch_are_those_of_two_passes(small_config):
    model = randomised(small_config)
    found = conditions(model, inputs(small_config))
    halves = [predict(model, half) for half in (found, found.uncond())]
    x = torch.randn(FRAMES, 4, *SIZE, generator=torch.Generator().manual_seed(3))
    both = model.predict(torch.cat([x, x]), torch.full((2 * FRAMES,), 400), found.both)
    assert (both - torch.cat(halves)).abs().max() < 1e-5 * both.abs().max()


def test_only_few_latents_on_a_gpu_are_few(small_config):
    found = conditions(EMO(small_config), inputs(small_config))
    assert not found.few  # a CPU gains nothing
    cuda = torch.device("cuda")
    assert are_few(12, 32, 32, cuda) and not are_few(12, 64, 64, cuda)


@pytest.mark.parametrize("change", ["load", "assign", "move"])
def test_fused_projections_are_those_of_the_weights_that_are_there(small_config, change):
    model, other = randomised(small_config), randomised(small_config)
    given = inputs(small_config)
    model.fuse()
    if change == "move":
        model.double().float()
    else:
        model.load_state_dict(other.state_dict(), assign=change == "assign")
    plain = EMO(small_config)
    plain.load_state_dict(model.state_dict())
    found, expected = (predict(each, conditions(each, given)) for each in (model, plain))
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
