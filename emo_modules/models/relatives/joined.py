"""Reference features that are joined to the Backbone's self-attention, as Hallo and EchoMimic have it."""

import torch
from torch import Tensor

from ..attention import Context, KeysValues


def beside_portrait(own: KeysValues, portrait: Context | None, frames: int) -> KeysValues:
    """A frame's own keys and values (N, L, D), and with a portrait's (B*V, L', D) also those."""
    if portrait is None:
        return own
    shared = (for_frames(t, len(own[0]) // frames, frames) for t in portrait)
    key, value = (torch.cat(pair, dim=1) for pair in zip(own, shared, strict=True))
    return key, value


def for_frames(portrait: Tensor, clips: int, frames: int) -> Tensor:
    """(clips * V, L, D) -> (clips * frames, L, D): the one portrait for all frames of a clip, or V readings
    of it in turn, of which the one after the last frame's place comes first (`IdentityConfig.tiled`)."""
    readings = portrait.unflatten(0, (clips, -1))
    places = (torch.arange(frames, device=portrait.device) + frames) % readings.shape[1]
    return readings[:, places].flatten(0, 1)
