"""What reaches a node: valid objects changed as other packs and forgetful people change them, by io type.

A line is a label and a change of a valid value. Inputs of a type that has no lines get `ANYTHING` alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .fuzz_objects import Mapped, Stranger, other_model, overflowing_model, small_vae

NAN, INFINITE = float("nan"), float("inf")


# of no use to any input
ANYTHING: dict[str, Any] = {
    "None": None,
    "True": True,
    "a word": "abc",
    "a number as text": "12",
    "no text": "",
    "NaN": NAN,
    "infinite": INFINITE,
    "-infinite": -INFINITE,
    "-1": -1,
    "3.7": 3.7,
    "2**64": 2**64,
    "10**400": 10**400,
    "an empty list": [],
    "a list of None": [None],
    "a list of words": ["a", "b"],
    "a list in a list": [[1.0, 2.0]],
    "a list of NaN": [4.0, NAN],
    "an empty dict": {},
    "a dict of None": {"samples": None, "waveform": None, "sample_rate": None, "frames": None},
    "a tuple": (1, 2),
    "bytes": b"abc",
    "a complex number": 1j,
    "an object": Stranger(),
    "a class": Stranger,
    "a function": len,
    "an array": np.zeros((1, 3, 3), dtype=np.float64),
    "an array of words": np.array(["a"]),
    "an array of no axis": np.array(5),
    "a tensor of no axis": torch.tensor(1.0),
    "an empty tensor": torch.zeros(0),
    "a tensor of 6 axes": torch.zeros(1, 1, 1, 1, 1, 1),
    "a complex tensor": torch.zeros(1, 8, 8, 3, dtype=torch.complex64),
}

DTYPES = {
    "bf16": Tensor.bfloat16,
    "fp16": Tensor.half,
    "fp64": Tensor.double,
    "requires grad": lambda x: x.clone().requires_grad_(),
    "uint8": lambda x: (x * 255).byte(),
    "int64": lambda x: (x * 255).long(),
    "bool": Tensor.bool,
    "an array": lambda x: x.numpy(),
    "nested lists": Tensor.tolist,
    "a list of it": lambda x: [x],
}
RANGES = {
    "NaN": lambda x: x * NAN,
    "one NaN": lambda x: torch.where(torch.arange(x.numel()).view(x.shape) == 1, NAN, x),
    "infinite": lambda x: x / 0,
    "0 to 255": lambda x: x * 255,
    "-1 to 1": lambda x: 2 * x - 1,
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
}
AXES = {
    "without batch axis": lambda x: x[0],
    "an axis more": lambda x: x[:, None],
    "an axis more at the end": lambda x: x[..., None],
    "no axis": lambda x: x.flatten()[0],
    "empty batch": lambda x: x[:0],
    "no width": lambda x: x[:, :, :0],
    "a batch of 3": lambda x: x.repeat(3, *[1] * (x.ndim - 1)),
    "flipped": lambda x: x.flip(1),
    "strided": lambda x: x.transpose(1, 2),
}


def resized(height: int, width: int) -> Callable[[Tensor], Tensor]:
    """Of pictures (B, H, W, C)."""
    return lambda x: functional.interpolate(x.movedim(-1, 1), size=(height, width)).movedim(1, -1)


def replaced(key: str, changes: dict[str, Callable[[Any], Any]]) -> dict[str, Callable[[Any], Any]]:
    """Each change to one entry of a dict."""
    return {
        f"{key} {label}": lambda d, change=change: d | {key: change(d[key])}
        for label, change in changes.items()
    } | {
        f"without {key}": lambda d: {name: value for name, value in d.items() if name != key},
        f"{key} None": lambda d: d | {key: None},
        f"{key} a word": lambda d: d | {key: "abc"},
    }


WAVEFORMS = {
    "without batch": lambda x: x[0],
    "of one axis": lambda x: x[0, 0],
    "empty": lambda x: x[..., :0],
    "empty batch": lambda x: x[:0],
    "one sample": lambda x: x[..., :1],
    "of 6 channels": lambda x: x[:, :1].repeat(1, 6, 1),
    "antiphase": lambda x: torch.cat([x[:, :1], -x[:, :1]], dim=1),
    "channels last": lambda x: x.mT,
    "int16": lambda x: (x * 32767).short(),
    "in int16's range": lambda x: x * 32767,
    "loud": lambda x: x * 1e30,
}
RATES = {
    "as float": float,
    "as tensor": torch.tensor,
    "as array": np.int64,
    "as text": str,
    "0": lambda _: 0,
    "1": lambda _: 1,
    "negative": lambda rate: -rate,
    "of half a Hz": lambda rate: rate + 0.5,
    "NaN": lambda _: NAN,
    "infinite": lambda _: INFINITE,
    "huge": lambda _: 10**12,
    "10**400": lambda _: 10**400,
    "odd": lambda _: 37800,
}
LATENTS = DTYPES | RANGES | AXES
LATENTS |= {
    "of 16 channels": lambda x: x[:, :1].repeat(1, 16, 1, 1),
    "of 4 or 8 channels": lambda x: x[:, :1].repeat(1, 12 - x.shape[1], 1, 1),
    "of a video": lambda x: x.movedim(0, 1)[None],
    "huge": lambda x: x * 1e30,
}
BOXES: dict[str, Callable[[Any], Any]] = {
    "one box": lambda box: box,
    "listed": lambda box: [box],
    "for each picture": lambda box: [[box, box]],
    "for no picture": lambda box: [[]],
    "edges": lambda box: [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]],
    "tensor": lambda box: torch.tensor([[25.0, 27.0, 100.0, 100.0]]),
    "array": lambda box: np.array([[25, 27, 100, 100]]),
    "without width": lambda box: {"x": 1, "y": 1, "height": 3},
    "no area": lambda box: box | {"width": 0},
    "negative": lambda box: box | {"width": -9},
    "far away": lambda box: box | {"x": 1e9},
    "huge": lambda box: box | {"width": 1e12, "height": 1e12},
    "NaN": lambda box: box | {"x": NAN},
    "text": lambda box: {key: str(value) for key, value in box.items()},
    "words": lambda box: dict.fromkeys(box, "a"),
    "None inside": lambda box: dict.fromkeys(box),
    "with a score": lambda box: box | {"label": "face", "score": 0.9},
    "array of 5": lambda box: np.array([25, 27, 100, 100, 0.9]),
    "nested": lambda box: [[[box]]],
    "mixed": lambda box: [box, None],
}


def one_face(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Of FACE_LANDMARKS, the first face with entries replaced."""
    return lambda found: found | {"frames": [[found["frames"][0][0] | changes]]}


LANDMARKS = replaced(
    "frames", {"empty": lambda _: [], "without face": lambda _: [[]], "of None": lambda _: [None]}
)
LANDMARKS |= replaced(
    "image_size", {"of 0": lambda _: (0, 0), "NaN": lambda _: (NAN, NAN), "of 1": lambda _: (128,)}
)
LANDMARKS |= replaced("image_size", {"turned": lambda size: (size[0], 3 * size[1])})
LANDMARKS |= {
    "two frames": lambda found: found | {"frames": 2 * found["frames"]},
    "second frame empty": lambda found: found | {"frames": [*found["frames"], []]},
    "few points": one_face(landmarks_xy=np.zeros((5, 2))),
    "468 points": one_face(landmarks_xy=np.full((468, 2), 30.0)),
    "NaN points": one_face(landmarks_xy=np.full((478, 2), NAN)),
    "far points": one_face(landmarks_xy=np.full((478, 2), 1e9)),
    "no points": one_face(landmarks_xy=None),
    "flat points": one_face(landmarks_xy=np.zeros(478)),
    "box of 3": one_face(bbox_xyxy=[1, 2, 3]),
    "NaN box": one_face(bbox_xyxy=[NAN] * 4),
    "no box": one_face(bbox_xyxy=None),
}
ENCODED = replaced(
    "encoded_audio_all_layers",
    {
        "none": lambda _: (),
        "one": lambda layers: layers[:1],
        "a list": list,
        "twice": lambda layers: layers * 2,
        "NaN": lambda layers: tuple(layer * NAN for layer in layers),
        "short": lambda layers: tuple(layer[:, :1] for layer in layers),
        "without batch": lambda layers: tuple(layer[0] for layer in layers),
        "other width": lambda layers: tuple(layer.repeat(1, 1, 2) for layer in layers),
        "stacked": torch.stack,
        "arrays": lambda layers: tuple(layer.numpy() for layer in layers),
    },
)
IDENTITIES = DTYPES | {
    "listed": Tensor.tolist,
    "short": lambda x: x[:100],
    "NaN": lambda x: x * NAN,
    "huge": lambda x: x * 1e30,
    "zeros": torch.zeros_like,
    "of several faces": lambda x: x.repeat(3, 1),
}
PREFIXES = ["", ".", "..", "../x", "/", "/etc/x", "a/../../b", "a/b", "写真/é", "EMO\n2", "a\0b", "a:b*?"]
PREFIXES += ["CON", "C:\\x", "~/x", "%date:yyyy-MM-dd%/a", "%width%x%height%", "%nothing%", "a ", 300 * "n"]
CURVES = ["0:4, 2.5:20", "0:4\n1:5", "", ",,,", ":", "1", "a:b", "1:2:3", "0:99", "-1:5", "0:nan", "nan:1"]
CURVES += ["inf:3", "1e308:5", "1e400:5", "1e9:5", "2000000:20", "0:4,0:20", "0:1e-320", "0:0x10", "２:４"]
CURVES += [20000 * "0:4,"]
BOX_LINES = ["20, 20, 60, 60", "20 20 60 60; 9 9 30 30", "1, 2", "1, 2, 0, 4", "1, 2, nan, 4"]
BOX_LINES += ["900, 900, 9, 9", 200 * "1, 2, 3, 4\n"]


CHANGES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "IMAGE": DTYPES
    | RANGES
    | AXES
    | {
        "RGBA": lambda x: torch.cat([x, x[..., :1]], dim=-1),
        "grey": lambda x: x[..., :1],
        "2 channels": lambda x: x[..., :2],
        "5 channels": lambda x: torch.cat([x, x], dim=-1)[..., :5],
        "channels first": lambda x: x.movedim(-1, 1),
        "1 x 1": resized(1, 1),
        "9 px wide": resized(64, 9),
        "1 px high": resized(1, 64),
        "large": resized(1500, 1000),
    },
    "MASK": DTYPES
    | RANGES
    | AXES
    | {
        "inverted": lambda x: 1 - x,
        "soft": lambda x: x / 2,
        "of another size": lambda x: functional.interpolate(x[None], size=(37, 91))[0],
        "1 x 1": lambda x: x[:, :1, :1],
    },
    "AUDIO": replaced("waveform", DTYPES | RANGES | WAVEFORMS)
    | replaced("sample_rate", RATES)
    | {
        "a Mapping": Mapped,
        "a list of it": lambda d: [d],
        "a pair": lambda d: (d["waveform"], d["sample_rate"]),
        "more keys": lambda d: d | {"path": "x"},
    },
    "LATENT": replaced("samples", LATENTS) | {"a tensor": lambda d: d["samples"]},
    "BOUNDING_BOX": BOXES,
    "FACE_LANDMARKS": LANDMARKS,
    "AUDIO_ENCODER_OUTPUT": ENCODED,
    "FACE_EMBEDDING": IDENTITIES,
    "MODEL": {"of another kind": lambda _: other_model(), "that overflows": overflowing_model},
    "VAE": {"of 4 channels": lambda _: small_vae(4), "of 16 channels": lambda _: small_vae(16)}
    | {"that overflows": lambda _: small_vae(8, scale=1e38)},
    "STRING": {repr(text[:20]): lambda _, text=text: text for text in PREFIXES + CURVES + BOX_LINES},
    "COMBO": {
        "not in the list": lambda _: "nonsense",
        "upper case": lambda text: str(text).upper(),
        "a path": lambda _: "../../etc/passwd",
        "a number": lambda _: 1,
        "an array": np.array,
    },
    "BOOLEAN": {
        "0": lambda _: 0,
        "as text": lambda _: "false",
        "as tensor": torch.tensor,
        "as array": np.bool_,
    },
}


def number_changes(low: float, high: float) -> dict[str, Any]:
    """What comes over wires into an INT or FLOAT that lies in low..high."""
    inside = low + (high - low) // 2 if high - low < 200 else low + 3
    return {
        "below": low - 1,
        "far below": low - 1000,
        "a little below": low - 1e-6,
        "above": high + 1,
        "far above": high * 1000 + 100000,
        "1e300": 1e300,
        "1e10": 1e10,
        "2**63": 2**63,
        "-2**63": -(2**63),
        "whole float": float(inside),
        "between": inside + 0.5,
        "numpy int": np.int64(min(inside, 2**62)),
        "numpy float": np.float32(inside),
        "numpy NaN": np.float64(NAN),
        "tensor": torch.tensor(float(inside)),
        "tensor of 1": torch.tensor([float(inside)]),
        "text": str(inside),
        "list": [inside],
        "numbers": [float(inside), float(inside)],
        "array": np.array([inside, inside], dtype=np.float64),
        "too high in a list": [inside, high + 1],
        "tensor of NaN": torch.tensor(NAN),
        "numbers as text": ["1", "2"],
        "none in a list": [1.0, None],
    }
