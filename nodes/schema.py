"""What several nodes' schemas share."""

import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

CATEGORY = "EMO"

ReferenceNetType = io.Custom("EMO_REFERENCE_NET")
ReferenceType = io.Custom("EMO_REFERENCE")
CropType = io.Custom("EMO_CROP")
FaceEmbeddingType = io.Custom("FACE_EMBEDDING")
LandmarksType = io.Custom("FACE_LANDMARKS")  # core's, in newer versions


def allowed(**choices: tuple[str | None, list[str]]) -> bool | str:
    """For `validate_inputs`: True, or which value is not in its list. ComfyUI 0.3.64 does not look itself.

    A value that comes over a wire is None here.
    """
    for name, (value, options) in choices.items():
        if value is not None and value not in options:
            return f"{name} {value!r} is none of {', '.join(options)}"
    return True


def wired(**inputs: Any) -> bool | str:
    """For `validate_inputs`: True, or which socket got a value written into the prompt instead of a wire.

    A value that comes over a wire is None here. ComfyUI does not look itself.
    """
    written = [
        f"{name} has to be connected, got {value!r}" for name, value in inputs.items() if value is not None
    ]
    return "; ".join(written) or True


def known(constructor: Callable, **keywords: Any) -> dict[str, Any]:
    """Those keywords that this ComfyUI takes: `advanced` and `search_aliases` came after 0.3.64."""
    accepted = inspect.signature(constructor).parameters
    return {name: value for name, value in keywords.items() if name in accepted}
