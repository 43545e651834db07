"""What an EMO model is made of. Frozen dataclasses, stored as JSON in the checkpoint's metadata."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, Self

from .checked import Channels, Checked, Count, Degrees, Frames, Length, Range, Share, Size, from_dict
from .older import upgrade
from .quirks import Quirks, UNetQuirks

PERCEIVER_HEADS = 12
REGION_LEVELS = 4  # resolutions of the regions that audio branches act in, from the latents' on
# see emo_modules.schedule.SOLVERS
Solver = Literal["ddim", "ddim-diffusers", "dpm++2m", "unipc", "euler", "lcm"]
NEWER = "the checkpoint was written by a newer version of this pack: update it"
MAX_TEXT = 65536  # characters of a configuration as JSON; the paper's has 4,000


@dataclass(frozen=True)
class UNetConfig(Checked):
    """Shape of a UNet. The defaults are Stable Diffusion 1.5's without its text attention."""

    # ReferenceNet writes features and has no output; the Backbone reads them, and what happens across frames
    role: Literal["reads", "writes"] = "reads"
    block_out_channels: Annotated[tuple[Channels, ...], Length(1, 8)] = (320, 640, 1280, 1280)
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    layers_per_block: Annotated[int, Range(1, 8)] = 2
    heads: Count = 8
    norm_groups: Count = 32
    patch: Annotated[int, Range(1, 8)] = 1  # so many latents, each way, are one place of the UNet
    reference_positions: bool = False  # add 2-D sinusoids to reference-attention's queries and keys
    speed_positions: bool = False  # a frame can tell its own speed token from its neighbours'
    audio_dim: Channels | None = None
    speed_dim: Channels | None = None
    quirks: UNetQuirks = UNetQuirks()

    @property
    def least_parameters(self) -> int:
        """Those of the residual blocks' second convolutions alone."""
        return sum(9 * width**2 * (2 * self.layers_per_block + 1) for width in self.block_out_channels)

    def impossible(self) -> Iterator[str]:
        widths, levels, quirks = self.block_out_channels, self.attention_levels, self.quirks
        if len(widths) != len(levels):
            yield f"{len(widths)} block_out_channels need as many attention_levels, got {len(levels)}"
        # rows and columns have a sine and a cosine each; time has one of both
        divisors = {"heads": self.heads, "norm_groups": self.norm_groups}
        divisors["positions"] = 4 if self.reference_positions else 2
        for name, divisor in divisors.items():
            if uneven := [width for width in widths if width % divisor]:
                yield f"block_out_channels {uneven[0]} is no multiple of {divisor}, which {name} needs"
        if self.speed_dim and not (all(levels) or quirks.temporal_without_attention):
            yield f"speed_dim {self.speed_dim} needs temporal modules at every level: their layers read it"
        if quirks.audio_branches and len(widths) > REGION_LEVELS:
            yield f"regions have {REGION_LEVELS} resolutions, block_out_channels {len(widths)}"
        yield from self._unread()

    def _unread(self) -> Iterator[str]:
        """Fields of layers that this UNet does not have: nothing would do what they say."""
        quirks = self.quirks
        if self.speed_positions and not self.speed_dim:
            yield "speed_positions need a speed_dim: there are no tokens to tell apart"
        if self.role == "writes" and (self.audio_dim or self.speed_dim or self.reference_positions):
            yield (
                "a UNet that writes has no audio_dim, speed_dim and reference_positions, got "
                f"{self.audio_dim}, {self.speed_dim} and {self.reference_positions}"
            )
        if quirks.reference_join == "concat" and (self.reference_positions or quirks.reference_scale != 1):
            yield (
                "reference_join concat has no reference_positions and no reference_scale, got "
                f"{self.reference_positions} and {quirks.reference_scale:g}"
            )
        if quirks.audio_branches and (not self.audio_dim or quirks.audio_scale != 1):
            yield (
                f"{quirks.audio_branches} audio_branches need an audio_dim and have no audio_scale, got "
                f"{self.audio_dim} and {quirks.audio_scale:g}"
            )


@dataclass(frozen=True)
class AudioConfig(Checked):
    """Audio tokens of one frame: the encoder's blocks, concatenated over frames k-m .. k+m (EMO 3.2.1)."""

    encoder: dict[str, Any] = field(default_factory=dict)  # transformers.Wav2Vec2Config fields
    normalize: bool = True  # zero mean, unit variance waveform, as wav2vec2-base-960h expects
    layers: Count = 12
    feature_dim: Channels = 768
    context: Annotated[int, Range(0, 64)] = 2
    hidden_dim: Channels = 512
    tokens: Annotated[int, Range(1, 1024)] = 32


@dataclass(frozen=True)
class SpeedConfig(Checked):
    """Head-speed buckets in degrees per second (EMO 3.2); the paper gives neither d nor their places."""

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

    face: Share = 0.58  # the share that a crop gives a smaller face
    least: Share = 0.5  # from here on a picture is kept as it is
    most: Share = 1.0  # below 1: a larger face gets so much room, by repeating the picture's edge
    centre: Annotated[tuple[Share, ...], Length(2, 2)] = (0.5, 0.5)  # where the box's centre is
    drift: Annotated[tuple[Share, ...], Length(2, 2)] = (0.5, 0.5)  # how far from there it may be

    def impossible(self) -> Iterator[str]:
        if not 0 < self.least <= self.face <= self.most:
            yield f"least {self.least}, face {self.face} and most {self.most} must grow from above 0"


@dataclass(frozen=True)
class EMOConfig(Checked):
    """Everything needed to build the model and to run it as it was trained."""

    name: Annotated[str, Length(1, 200)] = "emo-sd15"
    family: Annotated[str, Length(1, 50)] = "emo"  # see `emo_modules.families`
    width: Size = 512
    height: Size = 512
    fps: Annotated[float, Range(1, 240)] = 25.0
    latent_channels: Annotated[int, Range(1, 64)] = 4
    latent_scale: Annotated[float, Range(1e-3, 1000)] = 0.18215
    vae: dict[str, Any] = field(default_factory=dict)  # diffusers class name and its configuration
    # the Backbone moves the portrait's pixels and draws what they do not show (`models.moving`); not in the
    # paper
    moving: bool = False
    # a path drawn from the seed says what neither sound nor portrait decides (`sampling.motion_code`); not in
    # the paper
    motion_code: bool = False
    clip_frames: Annotated[int, Range(1, 256)] = 12
    motion_frames: Frames = 4  # 0: none, clips are joined by `quirks.windows`
    backbone: UNetConfig = UNetConfig(audio_dim=768, speed_dim=256)
    reference_net: UNetConfig = UNetConfig("writes")
    audio: AudioConfig = AudioConfig()
    speed: SpeedConfig = SpeedConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    # 4: three convolutions between them bring the picture to the size of the latents
    face_locator_channels: Annotated[tuple[Channels, ...], Length(4, 4)] = (16, 32, 96, 256)
    framing: Framing = Framing()
    quirks: Quirks = Quirks()

    @property
    def window_rows(self) -> int:
        """Feature rows of the audio window that one frame reads: its own and those of 2m neighbours."""
        return (2 * self.audio.context + 1) * self.quirks.audio_rows

    @property
    def audio_dim(self) -> int:
        """Channels of the audio tokens that the backbone reads."""
        assert self.backbone.audio_dim is not None  # see `impossible`
        return self.backbone.audio_dim

    def whole_clips(self, frames: int) -> int:
        """The frames of as many whole clips as `frames` take."""
        return -(-frames // self.clip_frames) * self.clip_frames

    def impossible(self) -> Iterator[str]:
        backbone, reference_net, quirks = self.backbone, self.reference_net, self.quirks
        if (backbone.role, reference_net.role) != ("reads", "writes"):
            yield (
                f"the backbone reads what reference_net writes, got roles {backbone.role} and "
                f"{reference_net.role}"
            )
        for name in ("block_out_channels", "attention_levels", "layers_per_block", "patch"):
            if (one := getattr(backbone, name)) != (other := getattr(reference_net, name)):
                yield f"backbone and reference_net need the same {name}, got {one} and {other}"
        if (one := backbone.quirks.reference_join) != (other := reference_net.quirks.reference_join):
            yield f"backbone and reference_net need the same reference_join, got {one} and {other}"
        yield from self._wrong_sound()
        yield from self._wrong_picture()
        if (found := self.vae.get("latent_channels", self.latent_channels)) != self.latent_channels:
            yield f"latents have {self.latent_channels} channels, those of the VAE {found}"
        read, written = backbone.quirks.context_dim, reference_net.quirks.context_dim
        if quirks.identity and (not read or read != written):
            yield f"identity tokens need one context_dim of both UNets, got {read} and {written}"
        if quirks.identity and quirks.identity.tiled and backbone.quirks.reference_join != "concat":
            yield "a tiled identity needs reference_join concat, got cross: one reading is one set of keys"
        if self.motion_frames > self.clip_frames:
            yield f"{self.motion_frames} motion_frames are more than a clip's {self.clip_frames} frames"
        if (windows := quirks.windows) and (self.motion_frames or windows.frames != self.clip_frames):
            yield (
                f"windows of {windows.frames} frames need as many clip_frames and no motion_frames, got "
                f"{self.clip_frames} and {self.motion_frames}"
            )
        everywhere = backbone.quirks.temporal_without_attention or all(backbone.attention_levels)
        if self.motion_frames and backbone.quirks.reference_join == "cross" and not everywhere:
            yield "motion frames are read at every level: temporal_without_attention must be true"

    def _wrong_picture(self) -> Iterator[str]:
        if self.moving and self.vae.get("_class_name") != "PatchVAE":
            yield f"moving needs the linear encoder of a PatchVAE, got {self.vae.get('_class_name')}"
        places = 8 * self.backbone.patch
        if self.width % places or self.height % places:
            yield (
                f"width and height are multiples of {places}, the pixels of a place of the UNet, got "
                f"{self.width} and {self.height}"
            )

    def _wrong_sound(self) -> Iterator[str]:
        width, audio, projection = self.backbone.audio_dim, self.audio, self.quirks.audio_projection
        if width is None:
            yield "the backbone needs audio_dim: nothing in it would hear the sound"
        elif projection == "none" and width != audio.feature_dim:
            yield f"without a projection audio_dim is the features' {audio.feature_dim}, got {width}"
        elif projection == "perceiver" and width % PERCEIVER_HEADS:
            yield f"the perceiver has {PERCEIVER_HEADS} heads, which do not divide audio_dim {width}"
        if projection == "perceiver" and audio.layers != 1:
            yield f"the perceiver reads 1 layer of the encoder, not {audio.layers}"
        blocks = audio.encoder.get("num_hidden_layers", audio.layers)
        if projection == "mlp" and audio.layers != blocks:
            yield f"audio.layers {audio.layers} are all blocks of the encoder, which has {blocks}"
        found = audio.encoder.get("hidden_size", audio.encoder.get("d_model", audio.feature_dim))
        if found != audio.feature_dim:
            yield f"audio.feature_dim {audio.feature_dim} is the encoder's width, which is {found}"

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
        return from_dict(cls, upgrade(values) if isinstance(values, dict) else values, NEWER)
