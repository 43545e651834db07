"""What an EMO model is made of. Frozen dataclasses, stored as JSON in the checkpoint's metadata."""

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class UNetConfig:
    """Shape of a UNet. The defaults are Stable Diffusion 1.5's without its text attention."""

    in_channels: int = 4
    out_channels: int | None = 4  # None: no output layers (ReferenceNet is only read from inside)
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    layers_per_block: int = 2
    heads: int = 8
    norm_groups: int = 32
    context_dim: int | None = None  # attn2: text in SD1.5, identity tokens in some relatives
    reference_tap: bool = False  # ReferenceNet: expose what its self-attention produces
    reference_attention: bool = False  # Backbone: reference-attention over those features
    # cross: features from after ReferenceNet's self-attention, read by a layer of their own (EMO, V-Express)
    # concat: features from before it, joined to the keys of the Backbone's self-attention (other relatives)
    reference_join: Literal["cross", "concat"] = "cross"
    reference_positions: bool = False  # add 2-D sinusoids to reference-attention's queries and keys
    reference_scale: float = 1.0
    audio_dim: int | None = None
    audio_scale: float = 1.0  # factor on audio-attention's output that the weights were released with
    audio_module_dim: int | None = None  # Hallo: an audio transformer of its own after each spatial one
    audio_branches: int = 3  # cross-attentions in it: one for each region, or 1 that the regions share
    temporal: bool = False
    # Hallo's inference passes over the temporal modules of levels without attention, trained or not
    temporal_without_attention: bool = True
    speed_dim: int | None = None


@dataclass(frozen=True)
class AudioConfig:
    """Audio tokens of one frame: the encoder's blocks, concatenated over frames k-m .. k+m (EMO sec.
    3.2.1)."""

    # how the encoder's outputs come onto the frame clock: EMO's own way, or a relative's
    features: Literal["emo", "hallo", "v_express", "whisper"] = "emo"
    encoder: dict[str, Any] = field(default_factory=dict)  # transformers.Wav2Vec2Config fields
    normalize: bool = True  # zero mean, unit variance waveform, as wav2vec2-base-960h expects
    layers: int = 12
    feature_dim: int = 768
    context: int = 2
    rows: int = 1  # feature rows that one frame's place in the window takes
    row_rate: float | None = None  # rows a second, when it is not `rows` for each frame
    ends: Literal["clamp", "zeros"] = "clamp"  # what stands before the first row and after the last
    projection: Literal["mlp", "perceiver", "none"] = "mlp"
    hidden_dim: int = 512
    tokens: int = 32


@dataclass(frozen=True)
class IdentityConfig:
    """Tokens made of a face embedding, which the relatives' attn2 reads (Hallo sec. 3.2)."""

    embedding_dim: int = 512
    tokens: int = 4
    # Hallo repeats (no face, face) as a tile over a batch that is not ordered so: motion frames, and the
    # portrait for the frames of a clip, are read with one and the other in turn. Equal numbers need it.
    tiled: bool = False


@dataclass(frozen=True)
class WindowConfig:
    """Overlapping windows over the whole video at every step, for weights without motion frames."""

    frames: int = 12
    overlap: int = 3
    # the last window: goes on at the first frame, or starts earlier so that it ends with the video
    ends: Literal["wrap", "inside"] = "wrap"
    shift: int = 2  # frames by which all windows move on with every step


@dataclass(frozen=True)
class SpeedConfig:
    """Head-speed buckets in degrees per second (EMO sec. 3.2); the paper gives neither d nor their
    places."""

    centres: tuple[float, ...] = (0.0, 5.0, 10.0, 15.0, 20.0, 27.0, 35.0, 45.0, 60.0)
    radii: tuple[float, ...] = (5.0, 5.0, 5.0, 5.0, 6.0, 7.5, 9.0, 12.5, 15.0)
    context: int = 2
    hidden_dim: int = 256


@dataclass(frozen=True)
class ScheduleConfig:
    """Noise schedule of training and the solver defaults that go with it."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    beta_schedule: Literal["scaled_linear", "linear"] = "scaled_linear"
    beta_start: float = 0.00085
    beta_end: float = 0.012
    zero_terminal_snr: bool = False
    shared_noise: float = 0.0  # share of the noise's variance that all frames have in common; 0 in the paper
    solver: str = "ddim"  # see emo_modules.schedule.SOLVERS
    noise_limit: float | None = None  # starting noise is cut at this many standard deviations
    steps: int = 40
    cfg: float = 3.5

    def __post_init__(self) -> None:
        if self.prediction == "epsilon" and self.zero_terminal_snr:
            raise ValueError(
                "epsilon prediction cannot start from zero terminal SNR: the noise says nothing there about "
                "the picture; use v_prediction"
            )


@dataclass(frozen=True)
class EMOConfig:
    """Everything needed to build the model and to run it as it was trained."""

    name: str = "emo-sd15"
    family: str = "emo"
    width: int = 512
    height: int = 512
    fps: float = 25.0
    latent_channels: int = 4
    latent_scale: float = 0.18215
    vae: dict[str, Any] = field(default_factory=dict)  # diffusers class name and its configuration
    # the Backbone sees the portrait's latent beside the noisy one and predicts the change from it;
    # not in the paper
    anchored: bool = False
    clip_frames: int = 12
    motion_frames: int = 4  # 0: none, clips are joined by `windows`
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
    face_locator_channels: tuple[int, ...] = (16, 32, 96, 256)
    face_locator_inputs: int = 1  # channels of the locator's picture
    face_locator_convs: int = 1  # convolutions at each of its sizes
    face_locator_pictures: bool = False  # one picture for each frame: landmarks, not a region
    face_guided: bool = False  # guidance's other half goes without the locator too

    def whole_clips(self, frames: int) -> int:
        """The frames of as many whole clips as `frames` take."""
        return -(-frames // self.clip_frames) * self.clip_frames

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
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`. Raises ValueError naming keys that no field has."""
        return from_dict(cls, json.loads(text), _NEWER)


_NEWER = "the checkpoint was written by a newer version of this pack: update it"


def from_dict(kind: type, values: dict[str, Any], remedy: str) -> Any:
    """The dataclass `kind` from nested dictionaries. Raises ValueError naming keys that no field has."""
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}; {remedy}")
    hints = get_type_hints(kind)
    return kind(**{name: _convert(hints[name], value, remedy) for name, value in values.items()})


def _convert(hint: Any, value: Any, remedy: str) -> Any:
    if kind := _dataclass_in(hint, value):
        return from_dict(kind, value, remedy)
    if get_origin(hint) is tuple:
        return tuple(value)
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"{value!r} is none of {', '.join(map(str, get_args(hint)))}")
    return value


def _dataclass_in(hint: Any, value: Any) -> Any:
    """The dataclass that `value` is a dictionary of, also where the hint allows None."""
    candidates = [hint, *get_args(hint)]
    return next((c for c in candidates if is_dataclass(c)), None) if value is not None else None
