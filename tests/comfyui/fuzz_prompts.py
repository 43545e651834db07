"""Prompts broken as people and other programs break them."""

import random
from typing import Any

from .harness import Prompt
from .prompts import node, talking

OURS = ("example", "model", "encoder", "face", "reference", "speed", "sampler", "video", "pasted", "whole")
WRITTEN = [
    None,
    True,
    -1,
    0,
    3.7,
    10**10,
    2**64,
    -(2**63),
    1e300,
    float("nan"),
    float("inf"),
    "",
    "abc",
    "12",
    "../x",
]
WRITTEN += [
    [],
    ["abc"],
    ["abc", "def"],
    [1, 2, 3],
    {},
    {"a": 1},
    {"__value__": [1, 2]},
    "n" * 1000,
    "a\0b",
    "0:nan",
]
NUMBERS = [-(10**6), -1, 0, 1, 7, 8, 121, 1025, 10**5, 10**12, 2**62]
TEXTS = [
    "",
    "abc",
    "12",
    "../x",
    "/etc/x",
    "a/b",
    "video/wired",
    "n" * 300,
    "a:b*?",
    "euler",
    "0:4, 1:20",
    "1e400:5",
]
# objects of core's nodes, of sizes and kinds that the pack's inputs do not wait for
OBJECTS = {
    "IMAGE": node("EmptyImage", width=1, height=1, batch_size=1, color=0),
    "IMAGE of 8 x 8": node("EmptyImage", width=8, height=8, batch_size=3, color=255),
    "MASK": node("SolidMask", value=1.0, width=16, height=512),
    "empty MASK": node("SolidMask", value=0.0, width=64, height=64),
    "LATENT": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    "video LATENT": node("EmptyHunyuanLatentVideo", width=64, height=64, length=5, batch_size=1),
    "AUDIO": node("EmptyAudio", duration=0.04, sample_rate=16000, channels=2),
    "empty AUDIO": node("EmptyAudio", duration=0.0, sample_rate=44100, channels=1),
}


def every_node(seed: int) -> Prompt:
    """A prompt that runs, with all nodes of the pack in it."""
    prompt = talking(0.04, seed=seed, preview=False)
    prompt["speed"] = node(
        "EMOHeadSpeed", mode="curve", speed=12.0, curve="0:4, 2:20", fps=25.0, audio=["audio", 0]
    )
    prompt["sampler"]["inputs"]["speed"] = ["speed", 0]
    prompt["decoded"] = node("VAEDecode", samples=["sampler", 0], vae=["model", 2])
    prompt["pasted"] = node(
        "EMOPasteBack", images=["decoded", 0], original=["example", 0], crop=["face", 2], feather=16
    )
    prompt["whole"] = node(
        "FramesToVideo",
        images=["pasted", 0],
        fps=25.0,
        filename_prefix="video/whole",
        save_output=True,
        crf=18,
    )
    return prompt


def broken_prompt(seed: int, number: int) -> tuple[Prompt, list[str]]:
    """The same one for the same seed and number, and what was done to it."""
    rng = random.Random(f"{seed}/{number}")
    prompt = every_node(number % 7)
    ways = rng.choices(WAYS, k=rng.choice([1, 1, 1, 2]))
    return prompt, [f"{way.__name__} {way(prompt, rng)}" for way in ways]


def _input(prompt: Prompt, rng: random.Random) -> tuple[dict[str, Any], str, str]:
    """The inputs of one of the pack's nodes that has any, a name among them, and both as text."""
    place = rng.choice([name for name in OURS if prompt.get(name, {}).get("inputs")])
    inputs = prompt[place]["inputs"]
    name = rng.choice(list(inputs))
    return inputs, name, f"{place}.{name}"


def forget(prompt: Prompt, rng: random.Random) -> str:
    inputs, name, shown = _input(prompt, rng)
    del inputs[name]
    return shown


def write(prompt: Prompt, rng: random.Random) -> str:
    inputs, name, shown = _input(prompt, rng)
    inputs[name] = rng.choice(WRITTEN)
    return f"{shown} = {str(inputs[name])[:40]!r}"


def link(prompt: Prompt, rng: random.Random) -> str:
    inputs, name, shown = _input(prompt, rng)
    inputs[name] = [
        rng.choice([*prompt, "gone", 5, None]),
        rng.choice([0, 0, 1, 2, 3, -1, 99, "0", 0.5, None]),
    ]
    return f"{shown} = {inputs[name]}"


def wire(prompt: Prompt, rng: random.Random) -> str:
    """From a primitive node, as math nodes and text boxes are."""
    inputs, name, shown = _input(prompt, rng)
    kind, value = rng.choice(
        [
            ("PrimitiveInt", rng.choice(NUMBERS)),
            ("PrimitiveFloat", float(rng.choice([*NUMBERS, 0.5, "nan", "inf", -1e300]))),
            ("PrimitiveString", rng.choice(TEXTS)),
            ("PrimitiveBoolean", rng.choice([False, True])),
        ]
    )
    prompt["primitive"] = node(kind, value=value)
    inputs[name] = ["primitive", 0]
    return f"{shown} = {kind}({str(value)[:40]})"


def wire_number(prompt: Prompt, rng: random.Random) -> str:
    """Of the type that the widget has."""
    numbers = [
        (place, name, value)
        for place in OURS
        for name, value in prompt.get(place, {}).get("inputs", {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if not numbers:
        return "nothing"
    place, name, old = rng.choice(numbers)
    kind = "PrimitiveInt" if isinstance(old, int) else "PrimitiveFloat"
    value = rng.choice(NUMBERS) if isinstance(old, int) else float(rng.choice([*NUMBERS, "nan", "inf", 0.5]))
    prompt["number"] = node(kind, value=value)
    prompt[place]["inputs"][name] = ["number", 0]
    return f"{place}.{name} = {kind}({value})"


def give_object(prompt: Prompt, rng: random.Random) -> str:
    """Of a core node, where an object of that type or of another one is connected."""
    inputs, name, shown = _input(prompt, rng)
    kind = rng.choice(list(OBJECTS))
    prompt["object"] = OBJECTS[kind]
    inputs[name] = ["object", 0]
    return f"{shown} = {kind}"


def give_fitting_object(prompt: Prompt, rng: random.Random) -> str:
    place, name, kinds = rng.choice(
        [
            ("face", "image", "IMAGE"),
            ("face", "mask", "MASK"),
            ("sampler", "audio", "AUDIO"),
            ("sampler", "mask", "MASK"),
            ("sampler", "landmark_pictures", "IMAGE"),
            ("speed", "audio", "AUDIO"),
            ("reference", "image", "IMAGE"),
            ("video", "samples", "LATENT"),
            ("video", "audio", "AUDIO"),
            ("pasted", "images", "IMAGE"),
            ("pasted", "original", "IMAGE"),
        ]
    )
    kind = rng.choice([kind for kind in OBJECTS if kinds in kind])
    prompt["object"] = OBJECTS[kind]
    prompt.get(place, {}).get("inputs", {})[name] = ["object", 0]
    return f"{place}.{name} = {kind}"


def remove(prompt: Prompt, rng: random.Random) -> str:
    return f"{(name := rng.choice(list(prompt)))} ({prompt.pop(name)['class_type']})"


def misname(prompt: Prompt, rng: random.Random) -> str:
    inputs, name, shown = _input(prompt, rng)
    inputs[name + "s"] = inputs.pop(name)
    return shown


WAYS = [
    forget,
    write,
    write,
    link,
    wire,
    wire_number,
    give_object,
    give_fitting_object,
    remove,
    misname,
]
