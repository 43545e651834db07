"""What only EMO's relatives have or do, beside the paper's configuration; the defaults are the paper's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from .checked import Channels, Checked, Factor, Frames, Range


@dataclass(frozen=True)
class UNetQuirks(Checked):
    """How the UNets of EMO's relatives depart from the paper's, which the defaults are."""

    # cross: features from after ReferenceNet's self-attention, read by a layer of their own (EMO, V-Express)
    # concat: features from before it, joined to the keys of the Backbone's self-attention (other relatives)
    reference_join: Literal["cross", "concat"] = "cross"
    # factors on what the attentions give that the weights were released with
    reference_scale: Factor = 1.0
    audio_scale: Factor = 1.0
    # 0: audio-attention in the transformer block. Hallo: an audio transformer of its own after each, with one
    # cross-attention for each of 3 regions, or 1 that they share
    audio_branches: Literal[0, 1, 3] = 0
    context_dim: Channels | None = None  # attn2: text in SD1.5, identity tokens in Hallo
    # Hallo's inference passes over the temporal modules of levels without attention, trained or not
    temporal_without_attention: bool = True


@dataclass(frozen=True)
class IdentityConfig(Checked):
    """Tokens made of a face embedding, which the relatives' attn2 reads (Hallo sec. 3.2)."""

    embedding_dim: Channels = 512
    tokens: Annotated[int, Range(1, 1024)] = 4
    # Hallo repeats (no face, face) as a tile over a batch that is not ordered so: motion frames, and the
    # portrait for the frames of a clip, are read with one and the other in turn. Equal numbers need it.
    tiled: bool = False


@dataclass(frozen=True)
class WindowConfig(Checked):
    """Overlapping windows over the whole video at every step, for weights without motion frames."""

    frames: Annotated[int, Range(1, 256)] = 12
    overlap: Frames = 3
    # the last window: goes on at the first frame, or starts earlier so that it ends with the video
    ends: Literal["wrap", "inside"] = "wrap"
    shift: Frames = 2  # frames by which all windows move on with every step

    def impossible(self) -> Iterator[str]:
        if self.overlap >= self.frames:
            yield f"windows of {self.frames} frames overlap by fewer, got {self.overlap}"


@dataclass(frozen=True)
class Quirks(Checked):
    """What only EMO's relatives have or do, beside the `UNetQuirks` of their UNets."""

    # The sound: its rows are features at one time, of which a frame's window has several
    audio_projection: Literal["mlp", "perceiver", "none"] = "mlp"
    audio_rows: Annotated[int, Range(1, 16)] = 1  # that one frame's place in the window takes
    audio_row_rate: Annotated[float, Range(1, 1000)] | None = None  # rows a second, if not so many a frame
    audio_ends: Literal["clamp", "zeros"] = "clamp"  # what stands before the first row and after the last
    # The portrait and the past
    identity: IdentityConfig | None = None
    first_motion: Literal["zeros", "portrait"] = "zeros"  # motion frames before the first clip
    # motion frames are decoded and encoded again, as the weights saw them in training: Hallo's inference
    motion_pixels: bool = False
    windows: WindowConfig | None = None
    # The face
    locator_inputs: Annotated[int, Range(1, 16)] = 1  # channels of the locator's picture
    locator_convs: Annotated[int, Range(1, 8)] = 1  # convolutions at each of its sizes
    locator_pictures: bool = False  # one picture for each frame: landmarks, not a region
    face_guided: bool = False  # guidance's other half goes without the locator too
    # starting noise is cut at so many deviations
    noise_limit: Annotated[float, Range(0.1, 100)] | None = None
