"""What several nodes' schemas share."""

import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

CATEGORY = "EMO"

ReferenceNetType = io.Custom("EMO_REFERENCE_NET")
ReferenceType = io.Custom("EMO_REFERENCE")
CropType = io.Custom("EMO_CROP")


def known(constructor: Callable, **keywords: Any) -> dict[str, Any]:
    """Those keywords that this ComfyUI takes: `advanced` and `search_aliases` came after 0.3.64."""
    accepted = inspect.signature(constructor).parameters
    return {name: value for name, value in keywords.items() if name in accepted}
