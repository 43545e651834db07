"""Reference features that are joined to the Backbone's self-attention, as Hallo and EchoMimic have it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..attention import Context


def beside_portrait(
    own: Sequence[Tensor], portrait: Context | None, frames: int, kept: Tensor | None = None
) -> list[Tensor]:
    """A frame's own keys and values (N, L, D), and with a portrait's (B*V, L', D) also those.

    Training goes without the portrait where `kept` (B,) is 0, in clips that share a batch with others, so
    that all need as many keys: a frame's own stand there twice, which attention weighs as it does once. The
    portrait is then as large as the frames.
    """
    if portrait is None:
        return list(own)
    joined = []
    for mine, theirs in zip(own, portrait, strict=True):
        readings = in_turn(theirs, len(mine) // frames, frames)[:, None]
        clips = mine.unflatten(0, (len(readings), -1, readings.shape[2]))
        shared = readings.expand(-1, clips.shape[1], -1, -1, -1)
        if kept is not None:
            shared = torch.where(kept.view(-1, 1, 1, 1, 1) > 0, shared, clips)
        joined.append(torch.cat([clips, shared], dim=3).flatten(0, 2))
    return joined


def in_turn(portrait: Tensor, clips: int, frames: int) -> Tensor:
    """V readings of each clip's portrait (clips * V, L, D) -> (clips, V', L, D), which a clip's frames read
    in turn, from the first to the last and again: the one reading, or several, of which the one after the
    last frame's place comes first (`IdentityConfig.tiled`). Where V divides the frames they are as they
    were."""
    readings = portrait.unflatten(0, (clips, -1))
    if frames % readings.shape[1] == 0:
        return readings
    places = (torch.arange(frames, device=portrait.device) + frames) % readings.shape[1]
    return readings[:, places]
