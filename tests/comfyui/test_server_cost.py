"""What a run takes, asked before it starts and told while it runs."""

import json
from typing import Any

import pytest

from .files import Inputs
from .harness import Server
from .prompts import SMALL, node, talking

WIDGETS = {"checkpoint": SMALL, "dtype": "auto", "steps": 0, "cfg": 0, "sampler": "euler", "start": 0}
SOUND = {"filename": "cost.wav", "subfolder": "", "type": "input"}
FRAMES, CLIPS, STEPS = 50, 5, 2


@pytest.fixture
def sound(server: Server, inputs: Inputs, tones: Any) -> None:
    inputs.sound("cost.wav", tones(2.0, 16000), 16000)


def asked(server: Server, **changed: Any) -> dict[str, Any]:
    return server.get("/emo_portrait/cost", **SOUND | WIDGETS | changed)


def told(run: Any) -> list[dict[str, Any]]:
    return [event.data for event in run.of("emo.cost")]


def test_the_time_is_known_once_such_a_run_was_done(server: Server, sound: None) -> None:
    """And a run whose clips are all kept changes nothing about it."""
    before = asked(server, sampler="ddim")
    assert (before["frames"], before["clips"], before["seconds"]) == (FRAMES, CLIPS, None)
    assert 0 < before["bytes"] < before["free"]
    prompt = talking(seed=11, sampler_name="ddim")
    prompt["audio"] = node("LoadAudio", audio="cost.wav")
    first = server.run(prompt)
    events = told(first)
    assert events[0] == {"node": "sampler", "frames": FRAMES, "clips": CLIPS, "seconds": None}
    left = [event["left"] for event in events[1:]]
    assert all(event["node"] == "sampler" for event in events)
    assert left and left[-1] < max(left)
    after = asked(server, sampler="ddim")
    took = [event.at for event in first.of("emo.cost")]
    assert after["seconds"] == pytest.approx(took[-1] - took[0], rel=0.5, abs=1)
    prompt["sampler"]["inputs"]["preview"] = False
    again = told(server.run(prompt))
    assert again[0]["seconds"] == after["seconds"]
    assert asked(server, sampler="ddim")["seconds"] == after["seconds"]


def test_what_is_asked_decides(server: Server, sound: None) -> None:
    plain = asked(server)
    assert asked(server, start=1.0)["frames"] == FRAMES // 2
    assert asked(server, width=512, height=512)["bytes"] > plain["bytes"]
    cached = asked(server, deep_cache=2)
    assert cached["bytes"] > plain["bytes"]
    assert cached["seconds"] is None
    example = server.get("/emo_portrait/cost", example="speech.wav", **WIDGETS)
    assert example["frames"] == 125


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"filename": "absent.wav"}, 404),
        ({"filename": "../server.log"}, 404),
        ({"filename": "/etc/hostname"}, 404),
        ({"filename": "cost.txt"}, 400),
        ({"checkpoint": "absent.safetensors"}, 400),
        ({"steps": "many"}, 400),
        ({"steps": -3}, 400),
        ({"cfg": "nan"}, 400),
        ({"deep_cache": 4}, 400),
        ({"loras": "absent.safetensors"}, 400),
        ({"loras": "../../server.log"}, 400),
        ({"width": -8}, 400),
        ({"width": 10**9}, 400),
        ({"start": 3600}, 400),
        ({"start": "inf"}, 400),
        ({"start": -1}, 400),
    ],
    ids=json.dumps,
)
def test_what_cannot_be_run_is_refused_without_naming_folders(
    server: Server, sound: None, changed: dict[str, Any], status: int
) -> None:
    (server.base / "input" / "cost.txt").write_text("no sound")
    found, body = server.fetch("/emo_portrait/cost", **SOUND | WIDGETS | changed)
    assert found == status, body
    assert str(server.base) not in body.decode()
