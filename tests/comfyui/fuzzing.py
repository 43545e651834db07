"""Draws calls of the pack's nodes: everything comes from their schemas, so that new inputs are drawn too."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from .fuzz_values import ANYTHING, CHANGES, number_changes
from .in_process import Pack

ABSENT = object()
MILD = 6  # how far a valid number goes where its default is smaller: 1000 steps are allowed, but take long
ENDLESS = {"dpm_adaptive"}  # goes on until it is sure, which takes long with random weights

Found = dict[str, list[Any]]


# What is valid


@dataclass(frozen=True)
class World:
    """The pack, and valid objects by io type: a set from each of several checkpoints."""

    pack: Pack
    node_ids: list[str]
    sets: list[Found]


def schema_of(pack: Pack, node_id: str) -> Any:
    return pack.nodes.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA()


def types_of(given: Any) -> list[str]:
    return str(given.get_io_type()).split(",")


def outputs_of(pack: Pack, node_ids: list[str], start: Found, fixed: dict[str, Any]) -> Found:
    """Valid objects by io type: `start`, and what the nodes make of it and of each other's outputs.

    Each node runs once what it requires is there, with defaults in its widgets; `fixed` are inputs by name.
    """
    found: Found = defaultdict(list, {kind: list(values) for kind, values in start.items()})
    waiting = list(node_ids)
    while ready := [node_id for node_id in waiting if _first_inputs(pack, node_id, found, fixed) is not None]:
        waiting.remove(ready[0])
        values = pack.run(ready[0], **_first_inputs(pack, ready[0], found, fixed))
        for output, value in zip(schema_of(pack, ready[0]).outputs, values, strict=True):
            if value is not None:
                found[str(output.get_io_type())].append(value)
    assert waiting == [], f"nothing makes what these need: {waiting}"
    return found


def _first_inputs(pack: Pack, node_id: str, found: Found, fixed: dict[str, Any]) -> dict[str, Any] | None:
    inputs = {}
    for given in schema_of(pack, node_id).inputs:
        if given.id in fixed:
            inputs[given.id] = fixed[given.id]
        elif getattr(given, "default", None) is not None:
            inputs[given.id] = given.default
        elif not given.optional:
            values = [value for kind in types_of(given) for value in found.get(kind, [])]
            if not values:
                return None
            inputs[given.id] = values[0]
    return inputs


# A case


@dataclass(frozen=True)
class Given:
    """A value of an input; one that is not wired stands in the prompt."""

    label: str
    value: Any
    wired: bool

    def __str__(self) -> str:
        if isinstance(self.value, Tensor | np.ndarray):
            return f"{self.label} {tuple(self.value.shape)}"
        return self.label


@dataclass(frozen=True)
class Case:
    seed: int
    number: int
    node_id: str
    inputs: dict[str, Given]

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={given}" for name, given in self.inputs.items())
        return f"seed {self.seed}, case {self.number}: {self.node_id}({shown})"


def draw_case(world: World, seed: int, number: int) -> Case:
    """The same one for the same seed and number, whatever was drawn before."""
    rng = random.Random(f"{seed}/{number}")
    node_id = world.node_ids[number % len(world.node_ids)]
    schema, objects = schema_of(world.pack, node_id), rng.choice(world.sets)
    count = min(len(schema.inputs), rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 2, 3]))
    wrong = {given.id for given in rng.sample(schema.inputs, count)}
    drawn = {
        given.id: _wrong(world, given, objects, rng) if given.id in wrong else _valid(given, objects, rng)
        for given in schema.inputs
    }
    return Case(seed, number, node_id, {name: value for name, value in drawn.items() if value is not ABSENT})


def _valid(given: Any, objects: Found, rng: random.Random) -> Any:
    found = [value for kind in types_of(given) for value in objects.get(kind, [])]
    default = getattr(given, "default", None)
    if given.optional and rng.random() < 0.4:
        return ABSENT
    if default is None:
        return Given("valid", rng.choice(found), True) if found else ABSENT
    options = [option for option in getattr(given, "options", None) or [] if option not in ENDLESS]
    if options:
        default = rng.choice([default, *options])
    elif (bounds := _bounds(given)) and rng.random() < 0.4:
        default = type(default)(rng.uniform(bounds[0], min(bounds[1], max(2 * default, MILD))))
    elif isinstance(default, bool):
        default = rng.random() < 0.5
    return Given(repr(default), default, rng.random() < 0.3)


def _bounds(given: Any) -> tuple[float, float] | None:
    low, high = getattr(given, "min", None), getattr(given, "max", None)
    return None if low is None or high is None else (low, high)


def _wrong(world: World, given: Any, objects: Found, rng: random.Random) -> Any:
    """A valid value changed, a value of no use, another type's object, or none."""
    changed = _changed(given, objects, rng)
    way = rng.choice(["changed"] * 4 * bool(changed) + ["anything", "foreign", "absent"])
    if way == "changed":
        label, make = rng.choice(changed)
        return _maybe_written(label, make(), rng)
    if way == "foreign":
        kind = rng.choice(sorted(objects))
        return Given(f"another {kind}", rng.choice(rng.choice(world.sets).get(kind) or [None]), True)
    if way == "absent":
        return ABSENT
    label = rng.choice(list(ANYTHING))
    return _maybe_written(label, ANYTHING[label], rng)


def _changed(given: Any, objects: Found, rng: random.Random) -> list[tuple[str, Callable[[], Any]]]:
    found: list[tuple[str, Callable[[], Any]]] = []
    valid = objects if getattr(given, "default", None) is None else {types_of(given)[0]: [given.default]}
    if kinds := [kind for kind in types_of(given) if kind in CHANGES and valid.get(kind)]:
        kind = rng.choice(kinds)
        value = rng.choice(valid[kind])
        found = [(label, partial(change, value)) for label, change in CHANGES[kind].items()]
    if bounds := _bounds(given):
        found += [(label, lambda value=value: value) for label, value in number_changes(*bounds).items()]
    return found


def _maybe_written(label: str, value: Any, rng: random.Random) -> Given:
    """Into the prompt goes what JSON holds; a list there is a wire, so that lists need one."""
    plain = value is None or isinstance(value, str | float | int | dict) and not isinstance(value, np.generic)
    return Given(label, value, not plain or rng.random() < 0.6)
