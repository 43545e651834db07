"""Configurations survive JSON, of older versions too, and refuse what they do not know."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from emo_modules.config import AudioConfig, EMOConfig, ScheduleConfig, UNetConfig
from emo_modules.families.table import RELEASES
from emo_modules.quirks import IdentityConfig, UNetQuirks
from emo_people.recipe.config import BUILT_IN

RELEASED = {name: row.config for name, row in RELEASES.items()}
PRESETS = {"paper": EMOConfig.sd15(), "built in": BUILT_IN} | RELEASED
# as the version before roles and quirks stored them
OLDER = json.loads((Path(__file__).parent / "older_configs.json").read_text())


@pytest.mark.parametrize("config", PRESETS.values(), ids=list(PRESETS))
def test_json_round_trip(config):
    assert EMOConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("colour",), "EMOConfig has no field colour"),
        (("backbone", "depth"), "UNetConfig has no field depth"),
        (("speed", "unit"), "SpeedConfig has no field unit"),
    ],
)
def test_unknown_fields_are_named(path, message):
    values = json.loads(EMOConfig().to_json())
    target = values
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = 1
    with pytest.raises(ValueError, match=message):
        EMOConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("field", ["prediction", "beta_schedule"])
def test_values_outside_their_list_are_refused(field):
    values = json.loads(EMOConfig().to_json())
    values["schedule"][field] = "cosine"
    with pytest.raises(ValueError, match="is 'cosine'; expected is one of"):
        EMOConfig.from_json(json.dumps(values))


def test_fields_left_out_take_their_defaults():
    assert EMOConfig.from_json('{"name": "x"}') == EMOConfig(name="x")


IMPOSSIBLE = [
    ("backbone.attention_levels", [True], "4 block_out_channels need as many attention_levels, got 1"),
    ("backbone.heads", 7, "block_out_channels 320 is no multiple of 7, which heads needs"),
    ("reference_net.norm_groups", 33, "block_out_channels 320 is no multiple of 33, which norm_groups needs"),
    ("backbone.block_out_channels", [32, 64, 96, 160, 33], "5 block_out_channels need as many attention_lev"),
    ("backbone.block_out_channels", [32, 64, 96, 160], r"same block_out_channels, got .32, .* and .320, 640"),
    ("backbone.layers_per_block", 1, "same layers_per_block, got 1 and 2"),
    ("backbone.attention_levels", [True] * 4, r"same attention_levels, got .True, True, True, True. and"),
    ("backbone.role", "writes", "no audio_dim, speed_dim and reference_positions, got 768, 256 and False"),
    ("reference_net.role", "reads", "got roles reads and reads"),
    ("reference_net.audio_dim", 8, "no audio_dim, speed_dim and reference_positions, got 8, None and False"),
    ("reference_net.speed_dim", 8, "got None, 8 and False"),
    ("reference_net.reference_positions", True, "got None, None and True"),
    ("backbone.quirks.reference_join", "concat", "the same reference_join, got concat and cross"),
    ("backbone.quirks.temporal_without_attention", False, "speed_dim 256 needs temporal modules at every le"),
    ("backbone.audio_dim", None, "the backbone needs audio_dim"),
    ("backbone.quirks.audio_branches", 2, "audio_branches is 2; expected is one of 0, 1, 3"),
    ("reference_net.quirks.audio_branches", 3, "3 audio_branches need an audio_dim .*, got None and 1"),
    ("face_locator_channels", [8, 16], "face_locator_channels is .8, 16.; expected is .* of length 4"),
    ("latent_channels", 8, "latents have 8 channels, those of the VAE 4"),
    ("motion_frames", 13, "13 motion_frames are more than a clip's 12 frames"),
    ("quirks.windows", {"frames": 12}, "windows of 12 frames need .* no motion_frames, got 12 and 4"),
    ("quirks.windows", {"frames": 3, "overlap": 3}, "windows of 3 frames overlap by fewer, got 3"),
    ("quirks.identity", {}, "identity tokens need one context_dim of both UNets, got None and None"),
    ("quirks.audio_projection", "none", "without a projection audio_dim is the features' 512, got 768"),
    ("quirks.audio_projection", "perceiver", "the perceiver reads 1 layer of the encoder, not 12"),
    ("audio.layers", 3, "audio.layers 3 are all blocks of the encoder, which has 12"),
    ("audio.feature_dim", 512, "audio.feature_dim 512 is the encoder's width, which is 768"),
    ("speed.radii", [1.0], "one radius each, got 9 centres and 1 radii"),
    ("schedule.beta_end", 0.0001, "beta_start to beta_end, got 0.00085 and 0.0001"),
    ("framing.least", 0.9, "least 0.9, face 0.58 and most 1.0 must grow"),
]
RELATIVES = [
    ("hallo", "backbone.quirks.context_dim", 16, "need one context_dim of both UNets, got 16 and 768"),
    ("hallo", "backbone.quirks.audio_scale", 3.0, "3 audio_branches .* have no audio_scale, got 768 and 3"),
    ("hallo", "backbone.reference_positions", True, "concat has no reference_positions .* got True and 1"),
    ("hallo", "backbone.quirks.reference_scale", 0.5, "no reference_scale, got False and 0.5"),
    ("echomimic", "clip_frames", 16, "windows of 12 frames need as many clip_frames .* got 16 and 0"),
    ("echomimic", "backbone.audio_dim", 768, "audio_dim is the features' 384, got 768"),
    ("echomimic", "audio.encoder", {"d_model": 512}, "audio.feature_dim 384 is the encoder's width, .* 512"),
    ("v_express", "backbone.audio_dim", 760, "the perceiver has 12 heads, which do not divide audio_dim 760"),
    ("v_express", "audio.layers", 2, "the perceiver reads 1 layer of the encoder, not 2"),
]


def refusal_of(config: EMOConfig, path: str, value: object) -> str:
    values = json.loads(config.to_json())
    *outer, name = path.split(".")
    target = values
    for part in outer:
        target = target[part]
    target[name] = value
    with pytest.raises(ValueError) as caught:
        EMOConfig.from_json(json.dumps(values))
    return str(caught.value)


@pytest.mark.parametrize(("path", "value", "said"), IMPOSSIBLE)
def test_a_configuration_that_cannot_be_is_refused_with_its_values(path, value, said):
    paper = EMOConfig.sd15()
    if path == "audio.feature_dim" or path == "audio.layers":
        paper = replace(paper, audio=AudioConfig({"hidden_size": 768, "num_hidden_layers": 12}))
    if value == "none":
        paper = replace(paper, audio=AudioConfig(feature_dim=512))
    assert re.search(said, refusal_of(paper, path, value))


@pytest.mark.parametrize(("name", "path", "value", "said"), RELATIVES)
def test_a_relative_that_cannot_be_is_refused_with_its_values(name, path, value, said):
    assert re.search(said, refusal_of(PRESETS[name], path, value))


def test_what_only_hallo_has_needs_the_rest_of_hallo():
    tiled = replace(PRESETS["hallo"].quirks, identity=IdentityConfig(tiled=True))
    unets = {
        name: replace(getattr(EMOConfig.sd15(), name), quirks=UNetQuirks(context_dim=8))
        for name in ("backbone", "reference_net")
    }
    with pytest.raises(ValueError, match="a tiled identity needs reference_join concat, got cross"):
        replace(EMOConfig.sd15(), quirks=tiled, **unets)
    five = {"block_out_channels": (32,) * 5, "attention_levels": (True,) * 5, "audio_dim": 8}
    with pytest.raises(ValueError, match="regions have 4 resolutions, block_out_channels 5"):
        UNetConfig(quirks=UNetQuirks(audio_branches=3), **five)


def test_positions_of_rows_and_columns_need_widths_that_divide_by_four():
    shape = {"block_out_channels": (18,), "attention_levels": (True,), "heads": 2, "norm_groups": 2}
    assert UNetConfig(**shape)
    with pytest.raises(ValueError, match="block_out_channels 18 is no multiple of 4, which positions needs"):
        UNetConfig(**shape, reference_positions=True)


def test_motion_frames_need_temporal_modules_at_every_level():
    paper = EMOConfig.sd15()
    quirks = UNetQuirks(temporal_without_attention=False)
    with pytest.raises(ValueError, match="motion frames are read at every level: temporal_without_attention"):
        replace(paper, backbone=replace(paper.backbone, speed_dim=None, quirks=quirks))


def test_epsilon_prediction_with_zero_terminal_snr_is_refused():
    with pytest.raises(ValueError, match="v_prediction"):
        ScheduleConfig("epsilon", zero_terminal_snr=True)


@pytest.mark.parametrize("name", OLDER)
def test_configurations_of_an_older_version_are_read(name):
    assert EMOConfig.from_json(json.dumps(OLDER[name])) == PRESETS[name]


def test_an_older_configuration_with_parts_of_both_roles_is_refused():
    values = {"name": "x", "backbone": {"reference_tap": True, "reference_attention": True}}
    with pytest.raises(ValueError, match="backbone has reference_tap True, reference_attention True: a UNet"):
        EMOConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("fields", [{"anchored": True}, {"pictures": "drawn"}])
def test_the_model_of_drawn_faces_is_refused(fields):
    with pytest.raises(ValueError, match="a model of drawn faces, which this version no longer runs"):
        EMOConfig.from_json(json.dumps(json.loads(BUILT_IN.to_json()) | fields))


def test_the_built_in_checkpoint_is_what_its_recipe_makes(demo_config):
    assert demo_config == BUILT_IN
