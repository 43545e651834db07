"""Configurations survive JSON, and refuse what they do not know."""

import json

import pytest

from emo_modules.config import EMOConfig, Framing, ScheduleConfig


@pytest.mark.parametrize("config", [EMOConfig(), EMOConfig.sd15(), EMOConfig.demo()])
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


def test_a_demo_checkpoint_from_before_framings_were_stored_has_its_framing():
    stored = json.loads(EMOConfig.demo().to_json())
    del stored["framing"], stored["pictures"]
    assert EMOConfig.from_json(json.dumps(stored)) == EMOConfig.demo()
    stored["name"] = "another"
    assert EMOConfig.from_json(json.dumps(stored)).framing == Framing()
