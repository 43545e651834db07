"""Configurations survive JSON, of older versions too, and refuse what they do not know."""

import json
from pathlib import Path

import pytest

from emo_modules.config import EMOConfig, Framing, ScheduleConfig
from emo_modules.families.table import RELEASES
from emo_people.recipe.config import DEMO

PRESETS = {"paper": EMOConfig.sd15(), "demo": DEMO} | {name: row.config for name, row in RELEASES.items()}
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


def test_a_demo_checkpoint_from_before_framings_were_stored_has_its_framing():
    stored = json.loads(DEMO.to_json())
    del stored["framing"], stored["pictures"]
    assert EMOConfig.from_json(json.dumps(stored)) == DEMO
    stored["name"] = "another"
    assert EMOConfig.from_json(json.dumps(stored)).framing == Framing()


def test_the_built_in_checkpoint_is_what_its_recipe_makes(demo_config):
    assert demo_config == DEMO
