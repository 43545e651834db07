"""Prompts changed by hand are refused by validation, or fail on the node that they broke."""

import pytest

from .harness import Refused, Server
from .prompts import node, talking

REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "steps is a word": ("sampler", {"steps": "many"}),
    "steps below 0": ("sampler", {"steps": -1}),
    "too many steps": ("sampler", {"steps": 10**6}),
    "cfg below 0": ("sampler", {"cfg": -0.5}),
    "cfg too high": ("sampler", {"cfg": 1e4}),
    "seed below 0": ("sampler", {"seed": -1}),
    "seed too large": ("sampler", {"seed": 2**64}),
    "speed too high": ("sampler", {"speed": 61.0}),
    "speed below 0": ("sampler", {"speed": -1.0}),
    "audio_scale below 0": ("sampler", {"audio_scale": -1.0}),
    "unknown sampler": ("sampler", {"sampler_name": "none of core's"}),
    "unknown scheduler": ("sampler", {"scheduler": "none of core's"}),
    "model is a picture": ("sampler", {"model": ["example", 0]}),
    "audio is a picture": ("sampler", {"audio": ["example", 0]}),
    "negative box": ("face", {"box_x": -5}),
    "negative size": ("face", {"box_width": -1}),
    "negative crop": ("face", {"crop_width": -64}),
    "huge crop": ("face", {"crop_height": 10**6}),
    "negative face": ("face", {"face_index": -1}),
    "crf of 0": ("video", {"crf": 0}),
    "crf above 51": ("video", {"crf": 52}),
    "fps of 0": ("video", {"fps": 0.0}),
    "fps is a word": ("video", {"fps": "fast"}),
    "prefix leaves the folder": ("video", {"filename_prefix": "../../outside"}),
    "prefix leaves it later": ("video", {"filename_prefix": "video/../../outside"}),
    "prefix is absolute": ("video", {"filename_prefix": "/outside"}),
    "prefix that Windows cannot hold": ("video", {"filename_prefix": "12:30"}),
    "prefix too long": ("video", {"filename_prefix": "n" * 250}),
    "unknown checkpoint": ("model", {"checkpoint": "absent.safetensors"}),
    "checkpoint leaves the folder": ("model", {"checkpoint": "../../input/nan.wav"}),
    "checkpoint is absolute": ("model", {"checkpoint": "/etc/hostname"}),
    "unknown dtype": ("model", {"dtype": "int3"}),
    "unknown encoder": ("encoder", {"audio_encoder_name": "absent.safetensors"}),
    "encoder leaves the folder": ("encoder", {"audio_encoder_name": "emo/../../input/nan.wav"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_prompt_changed_by_hand_is_refused(server: Server, name: str) -> None:
    target, values = REFUSED[name]
    prompt = talking(0.04)
    prompt[target]["inputs"] |= values
    with pytest.raises(Refused) as refused:
        server.run(prompt)
    (key,) = values
    assert key in refused.value.reasons(target)


@pytest.mark.parametrize("value", [3, "model", {"a": 1}])
@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("sampler", "model"), ("sampler", "audio"), ("sampler", "mask"), ("face", "image"), ("face", "mask"),
        ("reference", "vae"), ("video", "samples"),
    ],
)  # fmt: skip
def test_a_value_where_a_link_belongs_is_refused(server: Server, target: str, key: str, value: object):
    prompt = talking(0.04)
    prompt[target]["inputs"][key] = value
    with pytest.raises(Refused) as refused:
        server.run(prompt)
    assert f"{key} has to be connected" in refused.value.reasons(target)


def test_null_for_a_link_fails_on_the_node(server: Server) -> None:
    """Core's validation cannot tell it from a link."""
    prompt = talking(0.04)
    prompt["sampler"]["inputs"]["model"] = None
    run = server.run(prompt)
    assert run.failed_node == "EMOSampler"
    assert "connect EMO Load Model" in run.error


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"mode": "wild"}, "mode"),
        ({"mode": "constant", "speed": 600.0}, "speed"),
        ({"fps": 0.0}, "fps"),
        ({"mode": "curve", "curve": ""}, "curve"),
        ({"mode": "curve", "curve": "fast"}, "curve"),
        ({"mode": "curve", "curve": "0:4, 1:600"}, "curve"),
    ],
)
def test_a_head_speed_that_makes_no_sense(server: Server, values: dict[str, object], key: str) -> None:
    """Refused at once, or with an error on the node that shows the value."""
    settings = {"mode": "calm", "speed": 12.0, "curve": "", "fps": 25.0} | values
    prompt = talking(0.04) | {"speed": node("EMOHeadSpeed", **settings)}
    prompt["sampler"]["inputs"]["speed"] = ["speed", 0]
    try:
        run = server.run(prompt)
    except Refused as refused:
        assert key in refused.reasons("speed")
    else:
        assert run.failed_node == "EMOHeadSpeed"
        assert "seconds" in run.error
