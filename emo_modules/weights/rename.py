"""Key renaming and strict loading, shared by every kind of weights."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

Rules = list[tuple[str, str]]

REMEDY = "The file is damaged, of another version or another kind of model: get it again or name another one."
LISTED = 10


def rename(state: dict[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Every key through every (regular expression, replacement) in order.

    Raises ValueError when two keys end up with one name.
    """
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name = key
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        if name in renamed:
            raise ValueError(f"{key} and another key are both renamed to {name}; the file mixes two namings")
        renamed[name] = value
    return renamed


def load_strict(
    module: nn.Module,
    state: dict[str, Tensor],
    source: str,
    *,
    may_miss: str | None = None,
    remedy: str = REMEDY,
) -> list[str]:
    """Copy `state` into `module`, cast to its dtype and device; returns the keys that `state` lacks.

    Raises as `check_fit`, before anything is changed.
    """
    absent = check_fit(module, state, source, may_miss, remedy)
    module.load_state_dict(state, strict=False)
    return absent


def assign_strict(
    module: nn.Module,
    state: dict[str, Tensor],
    source: str,
    device: torch.device | str,
    dtype: torch.dtype | None,
    remedy: str = REMEDY,
) -> None:
    """The tensors of `state` take the place of the module's, which may be on the meta device: on `device`,
    floating-point ones as `dtype`, or as they are stored.

    Raises as `check_fit`, before a tensor is converted: a file that does not fit costs no memory.
    """
    check_fit(module, state, source, None, remedy)
    converted = {
        key: value.to(device, dtype if value.is_floating_point() else None) for key, value in state.items()
    }
    module.load_state_dict(converted, assign=True)


def check_fit(
    module: nn.Module, state: dict[str, Tensor], source: str, may_miss: str | None, remedy: str
) -> list[str]:
    """The keys that `state` lacks, which all match the regex `may_miss`.

    Raises ValueError that names `source` and lists what is missing, unexpected, of another shape, or not
    floating-point where the module is.
    """
    own = module.state_dict()
    absent = [key for key in own if key not in state]
    missing = [key for key in absent if may_miss is None or not re.search(may_miss, key)]
    unexpected = [key for key in state if key not in own]
    misshaped = [
        f"{key} {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    whole = [
        f"{key} {value.dtype}"
        for key, value in state.items()
        if key in own and own[key].is_floating_point() and not value.is_floating_point()
    ]
    if missing or unexpected or misshaped or whole:
        lists = {"missing": missing, "unexpected": unexpected, "of another shape": misshaped}
        lists |= {"quantised or whole numbers": whole} if whole else {}
        counts = ", ".join(f"{len(keys)} {name}" for name, keys in lists.items())
        summary = f"{source} does not fit {type(module).__name__}; keys: {counts}"
        lines = [f"  {name}: {first(keys)}" for name, keys in lists.items() if keys]
        raise ValueError("\n".join([summary, *lines, remedy]))
    return absent


def first(keys: Iterable[str]) -> str:
    """Some of many names, in order."""
    keys = sorted(keys)
    more = f", and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return ", ".join(keys[:LISTED]) + more
