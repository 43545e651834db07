"""The graph that goes into written files."""

import json
import math
from typing import Any

from comfy.cli_args import args


def graph_tags(hidden: Any) -> dict[str, str]:
    """The graph, so that dropping the file onto ComfyUI brings it back; empty with --disable-metadata."""
    if args.disable_metadata:
        return {}
    found = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {
        name: json.dumps(_as_json(value), allow_nan=False)
        for name, value in found.items()
        if value is not None
    }


def _as_json(value: Any) -> Any:
    """None for what JSON has no number for: some packs mark "always changed" with NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value
