"""Reference features that are joined to the Backbone's self-attention, as Hallo and EchoMimic have it."""

import torch
from torch import Tensor

from ..attention import Context, KeysValues


def beside_portrait(
    own: KeysValues, portrait: Context | None, frames: int, kept: Tensor | None = None
) -> KeysValues:
    """A frame's own keys and values (N, L, D), and with a portrait's (B*V, L', D) also those.

    Training goes without the portrait where `kept` (B,) is 0, in clips that share a batch with others, so
    that all need as many keys: a frame's own stand there twice, which attention weighs as it does once. The
    portrait is then as large as the frames.
    """
    if portrait is None:
        return own
    shared = [for_frames(t, len(own[0]) // frames, frames) for t in portrait]
    if kept is not None:
        told = kept.repeat_interleave(frames)[:, None, None] > 0
        shared = [torch.where(told, theirs, mine) for theirs, mine in zip(shared, own, strict=True)]
    key, value = (torch.cat(pair, dim=1) for pair in zip(own, shared, strict=True))
    return key, value


def for_frames(portrait: Tensor, clips: int, frames: int) -> Tensor:
    """(clips * V, L, D) -> (clips * frames, L, D): the one portrait for all frames of a clip, or V readings
    of it in turn, of which the one after the last frame's place comes first (`IdentityConfig.tiled`)."""
    readings = portrait.unflatten(0, (clips, -1))
    places = (torch.arange(frames, device=portrait.device) + frames) % readings.shape[1]
    return readings[:, places].flatten(0, 1)
