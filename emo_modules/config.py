"""What an EMO model is made of. Frozen dataclasses, stored as JSON in the checkpoint's metadata."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, Self

from .checked import Checked, Length, Range, from_dict

# Ten times what any model of this kind has: a file cannot ask for gigabytes, or for layers without end.
Channels = Annotated[int, Range(1, 16384)]
Count = Annotated[int, Range(1, 128)]
Frames = Annotated[int, Range(0, 256)]
Size = Annotated[int, Range(8, 4096, multiple=8)]  # pixels; the autoencoders reduce them by 8
Share = Annotated[float, Range(0, 1)]
Factor = Annotated[float, Range(-100, 100)]
Degrees = Annotated[float, Range(0, 10_000)]  # per second
PERCEIVER_HEADS = 12
# see emo_modules.schedule.SOLVERS
Solver = Literal["ddim", "ddim-diffusers", "dpm++2m", "unipc", "euler", "lcm"]
MAX_TEXT = 65536  # characters of a configuration as JSON; the paper's has 4,000


@dataclass(frozen=True)
class UNetConfig(Checked):
    """Shape of a UNet. The defaults are Stable Diffusion 1.5's without its text attention."""

    in_channels: Channels = 4
    out_channels: Channels | None = 4  # None: no output layers (ReferenceNet is only read from inside)
    block_out_channels: Annotated[tuple[Channels, ...], Length(1, 8)] = (320, 640, 1280, 1280)
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    layers_per_block: Annotated[int, Range(1, 8)] = 2
    heads: Count = 8
    norm_groups: Count = 32
    context_dim: Channels | None = None  # attn2: text in SD1.5, identity tokens in some relatives
    reference_tap: bool = False  # ReferenceNet: expose what its self-attention produces
    reference_attention: bool = False  # Backbone: reference-attention over those features
    # cross: features from after ReferenceNet's self-attention, read by a layer of their own (EMO, V-Express)
    # concat: features from before it, joined to the keys of the Backbone's self-attention (other relatives)
    reference_join: Literal["cross", "concat"] = "cross"
    reference_positions: bool = False  # add 2-D sinusoids to reference-attention's queries and keys
    reference_scale: Factor = 1.0
    audio_dim: Channels | None = None
    audio_scale: Factor = 1.0  # factor on audio-attention's output that the weights were released with
    audio_module_dim: Channels | None = None  # Hallo: an audio transformer of its own after each spatial one
    audio_branches: Annotated[int, Range(1, 3)] = (
        3  # cross-attentions in it: one for each region, or 1 that the regions share
    )
    temporal: bool = False
    # Hallo's inference passes over the temporal modules of levels without attention, trained or not
    temporal_without_attention: bool = True
    speed_dim: Channels | None = None

    @property
    def least_parameters(self) -> int:
        """Those of the residual blocks' second convolutions alone."""
        return sum(9 * width**2 * (2 * self.layers_per_block + 1) for width in self.block_out_channels)

    def impossible(self) -> Iterator[str]:
        widths, levels = self.block_out_channels, self.attention_levels
        if len(widths) != len(levels):
            yield f"{len(widths)} block_out_channels need as many attention_levels, got {len(levels)}"
        # rows and columns have a sine and a cosine each; time has one of both
        divisors = {"heads": self.heads, "norm_groups": self.norm_groups}
        divisors["positions"] = 4 if self.reference_positions else 2
        for name, divisor in divisors.items():
            if uneven := [width for width in widths if width % divisor]:
                yield f"block_out_channels {uneven[0]} is no multiple of {divisor}, which {name} needs"
        if self.reference_tap and self.reference_attention:
            yield "reference_tap is ReferenceNet's, reference_attention the Backbone's: a UNet has one"
        if self.audio_dim and self.audio_module_dim:
            yield "audio_dim and audio_module_dim are two ways to the sound: a UNet has one of them"
        if self.speed_dim and not (self.temporal and (all(levels) or self.temporal_without_attention)):
            yield "speed_dim needs temporal modules at every level, whose layers read the speed"


@dataclass(frozen=True)
class AudioConfig(Checked):
    """Audio tokens of one frame: the encoder's blocks, concatenated over frames k-m .. k+m (EMO sec.
    3.2.1)."""

    # how the encoder's outputs come onto the frame clock: EMO's own way, or a relative's
    features: Literal["emo", "hallo", "v_express", "whisper"] = "emo"
    encoder: dict[str, Any] = field(default_factory=dict)  # transformers.Wav2Vec2Config fields
    normalize: bool = True  # zero mean, unit variance waveform, as wav2vec2-base-960h expects
    layers: Count = 12
    feature_dim: Channels = 768
    context: Annotated[int, Range(0, 64)] = 2
    rows: Annotated[int, Range(1, 16)] = 1  # feature rows that one frame's place in the window takes
    row_rate: Annotated[float, Range(1, 1000)] | None = (
        None  # rows a second, when it is not `rows` for each frame
    )
    ends: Literal["clamp", "zeros"] = "clamp"  # what stands before the first row and after the last
    projection: Literal["mlp", "perceiver", "none"] = "mlp"
    hidden_dim: Channels = 512
    tokens: Annotated[int, Range(1, 1024)] = 32

    def impossible(self) -> Iterator[str]:
        if self.projection == "perceiver" and self.layers != 1:
            yield f"the perceiver reads 1 layer of the encoder, not {self.layers}"


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
class SpeedConfig(Checked):
    """Head-speed buckets in degrees per second (EMO sec. 3.2); the paper gives neither d nor their
    places."""

    centres: Annotated[tuple[Degrees, ...], Length(1, 128)] = (
        0.0,
        5.0,
        10.0,
        15.0,
        20.0,
        27.0,
        35.0,
        45.0,
        60.0,
    )
    radii: tuple[Annotated[float, Range(1e-3, 10_000)], ...] = (5.0, 5.0, 5.0, 5.0, 6.0, 7.5, 9.0, 12.5, 15.0)
    context: Annotated[int, Range(0, 64)] = 2
    hidden_dim: Channels = 256

    def impossible(self) -> Iterator[str]:
        if len(self.centres) != len(self.radii):
            yield (
                f"speed buckets need one radius each, got {len(self.centres)} centres and "
                f"{len(self.radii)} radii"
            )


@dataclass(frozen=True)
class ScheduleConfig(Checked):
    """Noise schedule of training and the solver defaults that go with it."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    beta_schedule: Literal["scaled_linear", "linear"] = "scaled_linear"
    beta_start: Share = 0.00085
    beta_end: Share = 0.012
    zero_terminal_snr: bool = False
    shared_noise: Share = 0.0  # share of the noise's variance that all frames have in common; 0 in the paper
    solver: Solver = "ddim"
    noise_limit: Annotated[float, Range(0.1, 100)] | None = (
        None  # starting noise is cut at so many deviations
    )
    steps: Annotated[int, Range(1, 1000)] = 40
    cfg: Annotated[float, Range(0, 100)] = 3.5

    def impossible(self) -> Iterator[str]:
        if not 0 < self.beta_start < self.beta_end < 1:
            yield f"noise grows from beta_start to beta_end, got {self.beta_start:g} and {self.beta_end:g}"
        if self.prediction == "epsilon" and self.zero_terminal_snr:
            yield (
                "epsilon prediction cannot start from zero terminal SNR: the noise says nothing there about "
                "the picture; use v_prediction"
            )


@dataclass(frozen=True)
class Framing(Checked):
    """How the faces of the training pictures stand in their frames, which a portrait is brought to.

    A face's box goes from ear to ear and from hairline to chin. Shares are of the frame's width; `centre` and
    `drift` are of the width and of the height. The defaults are for weights trained on footage of all kinds:
    Hallo asks for a face of 50 to 70 % of the picture, and EchoMimic crops to twice its detector's box.
    """

    face: Share = 0.58  # the share that a crop gives the face
    least: Share = 0.5  # from here on a picture is kept as it is
    most: Share = 1.0  # below 1: a larger face gets more room, by repeating the picture's edge
    centre: Annotated[tuple[Share, ...], Length(2, 2)] = (0.5, 0.5)  # where the box's centre is
    drift: Annotated[tuple[Share, ...], Length(2, 2)] = (0.5, 0.5)  # how far from there it may be

    def impossible(self) -> Iterator[str]:
        if not 0 < self.least <= self.face <= self.most:
            yield f"least {self.least}, face {self.face} and most {self.most} must grow from above 0"


# Over the frames and portraits of 2000 training seeds the drawn faces take 0.58 to 0.66 of the width (mean
# 0.62) and their centres are 0.46 to 0.54 across and 0.49 to 0.54 down (mean 0.515).
DRAWN_FRAMING = Framing(0.62, 0.58, 0.66, (0.5, 0.515), (0.04, 0.025))


@dataclass(frozen=True)
class EMOConfig(Checked):
    """Everything needed to build the model and to run it as it was trained."""

    name: Annotated[str, Length(1, 200)] = "emo-sd15"
    family: Literal["emo", "hallo", "echomimic", "v_express"] = "emo"
    width: Size = 512
    height: Size = 512
    fps: Annotated[float, Range(1, 240)] = 25.0
    latent_channels: Annotated[int, Range(1, 64)] = 4
    latent_scale: Annotated[float, Range(1e-3, 1000)] = 0.18215
    vae: dict[str, Any] = field(default_factory=dict)  # diffusers class name and its configuration
    # the Backbone sees the portrait's latent beside the noisy one and predicts the change from it;
    # not in the paper
    anchored: bool = False
    clip_frames: Annotated[int, Range(1, 256)] = 12
    motion_frames: Frames = 4  # 0: none, clips are joined by `windows`
    first_motion: Literal["zeros", "portrait"] = "zeros"  # motion frames before the first clip
    # motion frames are decoded and encoded again, as the weights saw them in training: Hallo's inference
    motion_pixels: bool = False
    windows: WindowConfig | None = None
    backbone: UNetConfig = UNetConfig(reference_attention=True, audio_dim=768, temporal=True, speed_dim=256)
    reference_net: UNetConfig = UNetConfig(out_channels=None, reference_tap=True)
    audio: AudioConfig = AudioConfig()
    speed: SpeedConfig = SpeedConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    identity: IdentityConfig | None = None
    # 4: three convolutions between them bring the picture to the size of the latents
    face_locator_channels: Annotated[tuple[Channels, ...], Length(4, 4)] = (16, 32, 96, 256)
    face_locator_inputs: Annotated[int, Range(1, 16)] = 1  # channels of the locator's picture
    face_locator_convs: Annotated[int, Range(1, 8)] = 1  # convolutions at each of its sizes
    face_locator_pictures: bool = False  # one picture for each frame: landmarks, not a region
    face_guided: bool = False  # guidance's other half goes without the locator too
    framing: Framing = Framing()
    pictures: Literal["any", "drawn"] = "any"  # what was trained on: anything, or flat drawings only

    def whole_clips(self, frames: int) -> int:
        """The frames of as many whole clips as `frames` take."""
        return -(-frames // self.clip_frames) * self.clip_frames

    def impossible(self) -> Iterator[str]:
        backbone, reference_net = self.backbone, self.reference_net
        for name in ("block_out_channels", "attention_levels", "layers_per_block", "reference_join"):
            one, other = getattr(backbone, name), getattr(reference_net, name)
            if one != other:
                yield f"backbone and reference_net need the same {name}, got {one} and {other}"
        yield from self._wrong_channels()
        if not (backbone.reference_attention and backbone.temporal):
            yield "the backbone needs reference_attention and temporal"
        if not reference_net.reference_tap or reference_net.temporal:
            yield "reference_net needs reference_tap, and no temporal"
        yield from self._wrong_sound()
        if self.identity and (not backbone.context_dim or backbone.context_dim != reference_net.context_dim):
            yield "identity tokens need one context_dim of backbone and reference_net"
        if self.motion_frames > self.clip_frames:
            yield f"{self.motion_frames} motion_frames are more than a clip's {self.clip_frames} frames"
        everywhere = backbone.temporal_without_attention or all(backbone.attention_levels)
        if self.motion_frames and backbone.reference_join == "cross" and not everywhere:
            yield "motion frames are read at every level: temporal_without_attention must be true"

    def _wrong_channels(self) -> Iterator[str]:
        latents = self.latent_channels
        wanted = {
            "backbone.in_channels": (self.backbone.in_channels, latents * (2 if self.anchored else 1)),
            "backbone.out_channels": (self.backbone.out_channels, latents),
            "reference_net.in_channels": (self.reference_net.in_channels, latents),
        }
        for name, (found, right) in wanted.items():
            if found != right:
                beside = ", with the portrait's beside them" if self.anchored else ""
                yield f"{name} is {found}; latents have {latents} channels{beside}, so it must be {right}"

    def _wrong_sound(self) -> Iterator[str]:
        width, audio = self.backbone.audio_dim or self.backbone.audio_module_dim, self.audio
        if width is None:
            yield "the backbone needs audio_dim or audio_module_dim: nothing in it would hear the sound"
        elif audio.projection == "none" and width != audio.feature_dim:
            yield f"without a projection audio_dim is the features' {audio.feature_dim}, got {width}"
        elif audio.projection == "perceiver" and width % PERCEIVER_HEADS:
            yield f"the perceiver has {PERCEIVER_HEADS} heads, which do not divide audio_dim {width}"

    @classmethod
    def sd15(cls) -> Self:
        """The paper's model: SD1.5 width, 512 x 512, f=12, n=4, wav2vec2-base, epsilon prediction, DDIM 40
        steps."""
        kl = {
            "_class_name": "AutoencoderKL",
            "block_out_channels": [128, 256, 512, 512],
            "layers_per_block": 2,
            "latent_channels": 4,
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
        }
        return cls(vae=kl)

    @classmethod
    def demo(cls) -> Self:
        """The built-in model: the same classes, small widths, 128 x 128, trained on drawn avatars."""
        shape: dict[str, Any] = {
            "block_out_channels": (64, 96, 128),
            "heads": 2,
            "norm_groups": 16,
            "attention_levels": (True, True, True),
            "layers_per_block": 1,
        }
        wav2vec2 = {
            "hidden_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "conv_dim": [64, 64, 96, 96, 96],
            "conv_kernel": [10, 8, 8, 4, 4],
            "conv_stride": [5, 4, 4, 2, 2],
            "conv_bias": True,
            "feat_extract_norm": "layer",
            "do_stable_layer_norm": True,
            "num_conv_pos_embeddings": 31,
            "num_conv_pos_embedding_groups": 8,
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
            "feat_proj_dropout": 0.0,
            "layerdrop": 0.0,
            "mask_time_prob": 0.0,
        }
        return cls(
            name="emo-demo",
            width=128,
            height=128,
            latent_channels=8,
            latent_scale=1.0,
            vae={"_class_name": "PatchVAE", "latent_channels": 8},
            anchored=True,
            backbone=UNetConfig(
                in_channels=16,
                out_channels=8,
                reference_attention=True,
                reference_positions=True,
                audio_dim=96,
                temporal=True,
                speed_dim=64,
                **shape,
            ),
            reference_net=UNetConfig(in_channels=8, out_channels=None, reference_tap=True, **shape),
            audio=AudioConfig(encoder=wav2vec2, layers=3, feature_dim=96, hidden_dim=256, tokens=4),
            speed=SpeedConfig(hidden_dim=64),
            schedule=ScheduleConfig(
                "v_prediction", zero_terminal_snr=True, shared_noise=0.5, steps=2, cfg=1.0
            ),
            face_locator_channels=(8, 16, 32, 48),
            framing=DRAWN_FRAMING,
            pictures="drawn",
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`. Raises ValueError naming keys without a field, and values that cannot be."""
        if len(text) > MAX_TEXT:
            raise ValueError(f"it takes {len(text)} characters; expected are at most {MAX_TEXT}")
        try:
            values = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested without end") from error
        if isinstance(values, dict):
            values = _UNSTORED.get(str(values.get("name")), {}) | values
        return from_dict(cls, values, _NEWER)


# What checkpoints that were written before these fields were stored stand for.
_UNSTORED = {"emo-demo": {"framing": asdict(DRAWN_FRAMING), "pictures": "drawn"}}
_NEWER = "the checkpoint was written by a newer version of this pack: update it"
