"""Values of widgets as they come over wires, where ComfyUI compares nothing with a widget's limits."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAX_VALUES = 24 * 3600 * 25 + 1  # in a list with one for each frame: a day at 25 frames per second
SHOWN = 60  # characters of a value in a message
LISTED = 12  # names in a message


def describe(value: Any) -> str:
    """What came, for a message: a short value as it is, of anything else what it is."""
    value = unpack(value)
    if value is None:
        return "nothing"
    if isinstance(value, Tensor) and not _is_plain(value):
        return "a tensor that is sparse, nested or without data"
    if isinstance(value, Tensor | np.ndarray):
        kind = "a tensor" if isinstance(value, Tensor) else "an array"
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{kind} {tuple(value.shape)} of {'yes and no' if dtype == 'bool' else dtype}"
    if isinstance(value, Mapping):
        return f"a dictionary of {join_names([*value]) or 'nothing'}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 128 bits"
    if isinstance(value, str | Real | complex):
        return shorten(repr(value))
    if type(value).__module__ == "builtins":
        return "something of another kind"  # a function, bytes: its type says nothing to who connects nodes
    return f"an object of the class {type(value).__name__}"


def join_names(options: Sequence[Any]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(options) - LISTED} more" if len(options) > LISTED else ""
    return ", ".join(shorten(str(option)) for option in options[:LISTED]) + more


def shorten(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def unpack(value: Any) -> Any:
    """The number in a numpy number or a tensor without axes; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray):
        return value.item() if value.ndim == 0 else value
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 and _is_plain(value) else value


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta


def as_tensor(value: Any) -> Tensor | None:
    """A tensor or array of real numbers as a plain one on the CPU, without a gradient; None for anything
    else."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "buif":
        native = np.float32 if value.dtype.kind == "f" else value.dtype.newbyteorder("=")
        value = torch.from_numpy(np.ascontiguousarray(value, dtype=native))
    usable = isinstance(value, Tensor) and not value.is_complex() and _is_plain(value)
    return _computable(value.detach().cpu()) if usable else None


def _computable(tensor: Tensor) -> Tensor:
    """torch cannot find the greatest of 8-bit floats and of wide unsigned integers."""
    if tensor.is_floating_point():
        return tensor.float() if tensor.itemsize == 1 else tensor
    return tensor.long() if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64) else tensor


def as_list(value: Any) -> Any:
    """What a tensor or array holds as nested lists, anything else as it is."""
    found = as_tensor(value)
    return value if found is None else found.tolist()


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """3, 3.0, "3" and the 3 of numpy or a tensor. Raises ValueError for parts of a whole, or out of range."""
    number = _number(value)
    if number is None or number != number // 1 or not low <= number <= high:
        raise ValueError(f"{name} must be a whole number{_range(low, high)}, got {describe(value)}")
    return int(number)


def real_number(name: str, value: Any, low: float, high: float) -> float:
    """Raises ValueError for what is no number, NaN, infinite or out of range."""
    number = _number(value)
    if number is None or not low <= number <= high:
        raise ValueError(f"{name} must be a number{_range(low, high)}, got {describe(value)}")
    return float(number)


def real_numbers(name: str, value: Any, low: float, high: float) -> float | list[float]:
    """One number, or one for each frame: a list, array or tensor. Raises ValueError as `real_number`, and
    names the first of a list that does not fit."""
    value = unpack(value)
    if not isinstance(value, list | tuple | np.ndarray | Tensor):
        return real_number(name, value, low, high)
    values = value if isinstance(value, list | tuple) else _along_one_axis(as_tensor(value))
    if not 0 < len(values) <= MAX_VALUES:
        raise ValueError(
            f"{name} must be a number or a list of 1 to {MAX_VALUES} numbers, got {describe(value)}"
        )
    numbers = []
    for place, entry in enumerate(values, 1):
        number = _number(entry)
        if number is None or not low <= number <= high:
            raise ValueError(
                f"{name} must be numbers{_range(low, high)}, number {place} of {len(values)} is "
                f"{describe(entry)}"
            )
        numbers.append(float(number))
    return numbers


def _along_one_axis(value: Tensor | None) -> list[float]:
    """Nothing of a table."""
    return value.flatten().tolist() if value is not None and max(value.shape) == value.numel() else []


def switch(name: str, value: Any) -> bool:
    """A bool, or 0 or 1. Raises ValueError for anything else: ComfyUI takes every text for true."""
    number = _number(value)
    if number not in (0, 1):
        raise ValueError(f"{name} must be true or false, got {describe(value)}")
    return bool(number)


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """Raises ValueError for what is not in the list."""
    value = unpack(value)
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {join_names(options)}, got {describe(value)}")
    return value


def text(name: str, value: Any) -> str:
    """Raises ValueError for what is no text."""
    value = unpack(value)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {describe(value)}")
    return value


def _number(value: Any) -> int | float | None:
    """The number that is meant, text as ComfyUI reads it in a widget; None for anything else, NaN too."""
    value = unpack(value)
    if isinstance(value, str):
        value = _read(value)
    if not isinstance(value, Real):
        return None
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _read(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _range(low: float, high: float) -> str:
    return f" from {_short(low)} to {_short(high)}"


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
