"""What passes from ReferenceNet to the Backbone, layer by layer (EMO sec. 3.2)."""

from dataclasses import dataclass, replace
from typing import NamedTuple

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
    reference_kept: Tensor | None = None  # (B,) of training: 0 where the joined one is absent all the same
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
            keys = self.audio.keys and [(key, value * scale) for key, value in self.audio.keys]
            return replace(self, audio=self.audio._replace(keys=keys))
        return replace(self, audio=(self.audio[0], self.audio[1] * scale))


def drop(features: Tensor, kept: Tensor) -> Tensor:
    """Features (B*k, ...) with zeros where kept (B,) is 0, which attention takes for nothing."""
    rows = kept.repeat_interleave(len(features) // len(kept))
    return features * rows.view(-1, *[1] * (features.ndim - 1))
