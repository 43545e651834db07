"""Key renaming and strict loading, shared by every kind of weights."""

import re
from collections.abc import Iterable

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
    assign: bool = False,
    remedy: str = REMEDY,
) -> list[str]:
    """Load `state` into `module`; returns the keys that `state` lacks, which all match the regex `may_miss`.

    Values are cast to the module's dtype and device, or replace its tensors with `assign`. Raises ValueError
    listing what is missing, unexpected or of another shape, before anything is changed; it names `source`.
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
    if missing or unexpected or misshaped:
        lists = {"missing": missing, "unexpected": unexpected, "of another shape": misshaped}
        counts = ", ".join(f"{len(keys)} {name}" for name, keys in lists.items())
        summary = f"{source} does not fit {type(module).__name__}; keys: {counts}"
        lines = [f"  {name}: {_first(keys)}" for name, keys in lists.items() if keys]
        raise ValueError("\n".join([summary, *lines, remedy]))
    module.load_state_dict(state, strict=False, assign=assign)
    return absent


def _first(keys: Iterable[str]) -> str:
    keys = sorted(keys)
    more = f", and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return ", ".join(keys[:LISTED]) + more
