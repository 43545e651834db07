"""Every input of every node, left out, connected, or given a value that its widget would not take."""

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from .in_process import SAMPLING, WHOLE_FACE, Pack
from .prompts import DEMO
from .test_in_process import NAMES

WIDGETS = {
    "INT": [-1, 2**70, 2.5, "two", None, [1], float("nan"), {}, torch.zeros(2)],
    "FLOAT": [-1e12, 1e12, "fast", None, {}, float("nan"), float("inf"), 10**400, [], [[1.0, 2.0]], 1j],
    "COMBO": ["nonsense", 3, None, ["euler"]],
    "STRING": [3, None, ["a"]],
    "BOOLEAN": ["yes", 2, None, [], float("nan")],
}


@pytest.fixture
def sources(comfy) -> Iterator[dict[str, list[Any]]]:
    """Links to a node that has an output of every type: {type: link}."""
    kinds = sorted({kind.rstrip("?") for inputs, _ in NAMES.values() for kind in inputs.values()})

    class Source:
        RETURN_TYPES, FUNCTION = tuple(kinds), "give"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
            return {"required": {}}

    comfy.NODE_CLASS_MAPPINGS["Source"] = Source
    yield {kind: ["source", slot] for slot, kind in enumerate(kinds)}
    del comfy.NODE_CLASS_MAPPINGS["Source"]


def validation(node_id: str, inputs: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    """ComfyUI's own, of one node in a prompt."""
    execution = importlib.import_module("execution")
    prompt = {
        "source": {"class_type": "Source", "inputs": {}},
        "node": {"class_type": node_id, "inputs": inputs},
    }
    arguments = ("id", prompt, "node", {})
    return asyncio.run(execution.validate_inputs(*arguments))[:2]


def declared(comfy, node_id: str) -> dict[str, Any]:
    return {given.id: given for given in comfy.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA().inputs}


def written(comfy, node_id: str, sources: dict[str, list[Any]]) -> dict[str, Any]:
    """Widgets at their defaults, sockets connected."""
    return {
        name: getattr(given, "default", None)
        if hasattr(given, "default")
        else sources[str(given.get_io_type())]
        for name, given in declared(comfy, node_id).items()
    }


@pytest.mark.parametrize("node_id", NAMES)
def test_any_forgotten_input_gives_cores_own_message(comfy, sources, node_id: str) -> None:
    whole = written(comfy, node_id, sources)
    assert validation(node_id, whole) == (True, [])
    for name, given in declared(comfy, node_id).items():
        fine, errors = validation(node_id, {key: value for key, value in whole.items() if key != name})
        if given.optional:
            assert (fine, errors) == (True, []), name
        else:
            assert [(e["type"], e["details"]) for e in errors] == [("required_input_missing", name)]


@pytest.mark.parametrize("node_id", NAMES)
def test_any_input_can_be_connected(comfy, sources, node_id: str) -> None:
    connected = {name: sources[str(given.get_io_type())] for name, given in declared(comfy, node_id).items()}
    assert validation(node_id, connected) == (True, [])
    assert validation(node_id, {})[0] == all(given.optional for given in declared(comfy, node_id).values())


@pytest.mark.parametrize("node_id", NAMES)
def test_a_written_value_for_a_socket_or_outside_a_list_is_refused(comfy, sources, node_id: str) -> None:
    whole = written(comfy, node_id, sources)
    for name, given in declared(comfy, node_id).items():
        kind = str(given.get_io_type())
        if kind in WIDGETS and kind != "COMBO":
            continue
        fine, errors = validation(node_id, whole | {name: "nonsense"})
        message = (
            f"{name} must be one of " if kind == "COMBO" else f"{name} has to be connected, got 'nonsense'"
        )
        assert not fine and message in errors[0]["details"], errors


def test_limits_of_numbers_are_left_to_core(comfy, sources) -> None:
    """Its message marks the one input, ours would mark all."""
    whole = written(comfy, "EMOSampler", sources)
    fine, errors = validation("EMOSampler", whole | {"steps": 2000})
    assert not fine and [(e["type"], e["details"]) for e in errors] == [("value_bigger_than_max", "steps")]


# in execute


def widgets(comfy, node_id: str) -> dict[str, Any]:
    return {name: given for name, given in declared(comfy, node_id).items() if hasattr(given, "default")}


@pytest.mark.parametrize("node_id", NAMES)
def test_every_node_refuses_what_its_widgets_would_not_take(pack: Pack, comfy, node_id: str) -> None:
    defaults = {name: given.default for name, given in widgets(comfy, node_id).items()}
    for name, given in widgets(comfy, node_id).items():
        for value in WIDGETS[str(given.get_io_type())]:
            if value is None and given.optional:
                continue
            with pytest.raises(ValueError, match=f"^{name} must be "):
                pack.run(node_id, **(defaults | {name: value}))


@pytest.mark.parametrize("node_id", NAMES)
def test_a_misspelt_input_is_named_with_those_that_there_are(pack: Pack, node_id: str) -> None:
    """ComfyUI hands over wires of inputs that a node does not have."""
    there = next(iter(NAMES[node_id][0]), "none")
    with pytest.raises(ValueError, match=f"{node_id} has no input imagse, its inputs are {there}"):
        pack.run(node_id, imagse=1)


@pytest.mark.parametrize("value", [len, b"abc", set(), object])
def test_what_a_value_is_to_python_is_not_said(pack: Pack, value: Any) -> None:
    describe = pack.module("nodes.managed.values").describe
    assert describe(value) == "something of another kind"


@pytest.mark.parametrize("node_id", NAMES)
def test_every_number_has_limits(comfy, node_id: str) -> None:
    for name, given in widgets(comfy, node_id).items():
        if str(given.get_io_type()) in ("INT", "FLOAT"):
            assert given.min is not None and given.max is not None, name


EQUAL = {
    "steps": [2, 2.0, "2", np.int64(2), np.float32(2), torch.tensor(2), torch.tensor(2.0)],
    "seed": [2**64 - 1, np.uint64(2**64 - 1), str(2**64 - 1)],
    "cfg": [1, 1.0, np.float64(1), torch.tensor(1), "1"],
    "audio_scale": [True, 1.0, np.array(1.0)],
    "preview": [False, 0, 0.0, np.bool_(False), torch.tensor(False)],
    "sampler_name": ["euler", np.str_("euler")],
    "speed": [
        12.0, 12, "12", [12.0], [12] * 40, (12.0,), np.array([12.0, 12.0]), torch.full((3,), 12.0),
        torch.tensor([[12.0], [12.0]]), torch.tensor(12.0, dtype=torch.bfloat16),
        [torch.tensor(12), np.float16(12)],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_numbers_of_any_library_mean_the_same(scene, name: str) -> None:
    settings = {"seed": 1, "speed": 12.0} | SAMPLING
    videos = [scene.sample(0.08, **(settings | {name: value})) for value in EQUAL[name]]
    assert all(torch.equal(video, videos[0]) for video in videos)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"steps": -3}, "steps must be a whole number from 0 to 1000, got -3"),
        ({"seed": 2**64}, f"seed must be a whole number from 0 to {2**64 - 1}, got {2**64}"),
        ({"cfg": float("nan")}, "cfg must be a number from 0 to 30, got nan"),
        ({"speed": [4, 9, float("nan")]}, "speed must be numbers from 0 to 60, number 3 of 3 is nan"),
        ({"speed": torch.tensor([4.0, -1.0])}, "speed must be numbers from 0 to 60, number 2 of 2 is -1.0"),
        ({"speed": torch.zeros(2, 2)}, r"speed must be .* got a tensor \(2, 2\) of float32"),
        ({"speed": [1.0] * 2_160_002}, "list of 1 to 2160001 numbers, got a list of 2160002"),
        ({"scheduler": "nonsense"}, "scheduler must be one of as trained, .* got 'nonsense'"),
    ],
)  # fmt: skip
def test_messages_name_the_input_what_it_takes_and_what_came(scene, inputs, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene.sample(0.08, **inputs)


def test_a_huge_crop_is_refused_at_once(pack: Pack) -> None:
    with pytest.raises(ValueError, match="crop_width must be a whole number from 0 to 4096, got 100000"):
        pack.run(
            "FaceRegionMask",
            image=torch.zeros(1, 64, 64, 3), crop_width=100000, crop_height=0, **WHOLE_FACE,
        )  # fmt: skip


def test_a_script_may_call_a_node_without_the_executor(comfy) -> None:
    """As programs do that are made from workflows."""
    node = comfy.NODE_CLASS_MAPPINGS["EMOHeadSpeed"]()
    inputs = {"mode": "constant", "speed": 7.5, "curve": "", "fps": 25.0}
    assert getattr(node, node.FUNCTION)(**inputs).args == (7.5,)
    with pytest.raises(ValueError, match="speed must be a number from 0 to 60, got -1"):
        getattr(node, node.FUNCTION)(**(inputs | {"speed": -1}))


def test_a_wired_checkpoint_is_one_of_the_list(pack: Pack) -> None:
    assert pack.run("LoadEMOModel", checkpoint=DEMO, dtype="fp32")[2] is not None
    with pytest.raises(ValueError, match=r"checkpoint must be one of demo \(built in\).*, got '../../a'"):
        pack.run("LoadEMOModel", checkpoint="../../a", dtype="auto")
