"""A video that another goes on from: as latents, or as a video file."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ...emo_modules.config import EMOConfig
from ...emo_modules.cues.face import resize
from ...emo_modules.media.ending import LAST, Ending, read_ending
from .reference import Reference
from .values import describe

Earlier = dict[str, Any] | Ending


def take_earlier(
    latents: Callable[[str, Any, logging.Logger], dict[str, Any]],
) -> Callable[[str, Any, logging.Logger], Earlier]:
    """Of a socket for LATENT or VIDEO; `latents` takes the one. Raises ValueError for anything else."""

    def take(name: str, value: Any, log: logging.Logger) -> Earlier:
        if isinstance(value, Mapping):
            return latents(name, value, log)
        if not callable(getattr(value, "get_components", None)):
            raise ValueError(
                f"{name} must be a LATENT or a VIDEO, got {describe(value)}: connect EMO Sampler's latent, "
                "or core's Load Video with a video of this portrait"
            )
        source = getattr(value, "get_stream_source", lambda: None)()
        if isinstance(source, str):
            return read_ending(Path(source))
        images = value.get_components().images
        return Ending(len(images), images[-LAST:])

    return take


def frames_of(earlier: Earlier | None) -> int:
    if earlier is None:
        return 0
    return earlier.frames if isinstance(earlier, Ending) else len(earlier["samples"])


def last_latents(earlier: Earlier | None, reference: Reference, config: EMOConfig) -> Tensor | None:
    """(M, C, h, w) on the VAE's scale, as large as the model draws. Raises ValueError for weights that cannot
    go on from a video, and for one that is too short."""
    if earlier is None:
        return None
    count, found = config.motion_frames, frames_of(earlier)
    if not count:
        raise ValueError(
            f"{config.name} has no motion frames, with which a video could go on: disconnect previous"
        )
    if found < count:
        raise ValueError(f"{config.name} goes on from the last {count} frames, previous has {found}")
    height, width = reference.portrait.shape[-2:]
    if isinstance(earlier, Ending):
        pictures = earlier.last[-count:]
    else:
        latents = earlier["samples"][-count:]
        if latents.shape[-2:] == reference.portrait.shape[-2:]:
            return latents
        pictures = reference.vae.decode(latents)
    small = resize(pictures.movedim(-1, 1), 8 * height, 8 * width).clamp(0, 1)
    return reference.vae.encode(small.movedim(1, -1))
