"""What passes from ReferenceNet to the Backbone, layer by layer (EMO sec. 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .attention import Context, KeysValues
from .relatives.regions import RegionalAudio, Regions
from .temporal import MotionTokens


class Written(NamedTuple):
    """What one layer of ReferenceNet gives of N pictures, clean latents at timestep 0."""

    tokens: Tensor | None  # (N, H, W, D) around self-attention; None where there is none
    map: Tensor | None  # (N, C, H, W) at the layer's end; None where no motion frames are read

    def drop(self, kept: Tensor) -> "Written":
        """With zeros where kept (B,) is 0."""
        return Written(*(None if features is None else drop(features, kept) for features in self))


@dataclass(frozen=True)
class Reads:
    """What one layer of the Backbone gets, projected once: `UNet.nothing` and `UNet.project` make it."""

    reference: Context | None = None  # None: joined to self-attention, and absent
    reference_kept: Tensor | None = None  # (B,): 0 where the joined one is absent all the same
    context: Context | None = None  # identity tokens of some relatives
    audio: Context | RegionalAudio | None = None
    motion: MotionTokens | None = None
    speed: KeysValues | None = None
    regions: dict[int, Regions] | None = None  # where Hallo's branches act, by the number of tokens
    still: bool = False  # pictures that are no clip (image stage): there is no time to attend to

    def scaled_audio(self, scale: float) -> "Reads":
        """The sound's influence times `scale`."""
        if self.audio is None or isinstance(self.audio, Tensor):
            return self
        if isinstance(self.audio, RegionalAudio):
            keys = self.audio.keys and (self.audio.keys[0], self.audio.keys[1] * scale)
            return replace(self, audio=self.audio._replace(keys=keys))
        return replace(self, audio=(self.audio[0], self.audio[1] * scale))


def drop(features: Tensor, kept: Tensor) -> Tensor:
    """Features (B*k, ...) with zeros where kept (B,) is 0, which attention takes for nothing."""
    rows = kept.repeat_interleave(len(features) // len(kept))
    return features * rows.view(-1, *[1] * (features.ndim - 1))


def beside(rows: Sequence[Reads]) -> Reads:
    """One layer's rows as those of one batch, in the same order. Where only some have a portrait or sound,
    the others get keys and values of zeros, attention to which gives what it gives of nothing."""
    joined = replace(
        rows[0],
        reference=_contexts([row.reference for row in rows]),
        context=_contexts([row.context for row in rows]),
        audio=_sounds([row.audio for row in rows]),
        motion=_motions([row.motion for row in rows]),
        speed=_contexts([row.speed for row in rows]),
    )
    if not isinstance(joined.reference, tuple):
        return joined
    # beside a frame's own keys zeros would count, so there it goes without them
    kept = joined.reference[0].new_tensor([row.reference is not None for row in rows])
    return replace(joined, reference_kept=kept)


def _contexts(contexts: Sequence[Any]) -> Any:
    """Of `Context | None` each."""
    given = [context for context in contexts if isinstance(context, tuple)]
    if not given:
        return contexts[0]
    zeros = tuple(map(torch.zeros_like, given[0]))
    pairs = [context if isinstance(context, tuple) else zeros for context in contexts]
    return tuple(torch.cat(column) for column in zip(*pairs, strict=True))


def _sounds(sounds: Sequence[Context | RegionalAudio | None]) -> Context | RegionalAudio | None:
    regional = [sound for sound in sounds if isinstance(sound, RegionalAudio)]
    if not regional:
        joined: Context | None = _contexts(sounds)
        return joined
    return RegionalAudio(_contexts([sound.keys for sound in regional]), regional[0].constants)


def _motions(motions: Sequence[MotionTokens | None]) -> MotionTokens | None:
    given = [motion for motion in motions if motion is not None]
    if not given:
        return None
    columns = zip(*(motion.projected for motion in given), strict=True)
    return MotionTokens(torch.cat([motion.hidden for motion in given]), tuple(map(torch.cat, columns)))
