"""What a family of weights is, beside the networks that `EMOConfig` describes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from torch import Tensor

from ..config import AudioConfig, EMOConfig, ScheduleConfig
from ..cues.box import Box
from ..cues.locator import Cues
from ..media.audio import Audio
from ..speech.wav2vec2 import AudioEncoder
from ..speech.whisper import WhisperEncoder
from ..weights.rename import Rules
from ..weights.wav2vec2 import build_wav2vec2

SpeechEncoder = AudioEncoder | WhisperEncoder
Encoder = TypeVar("Encoder", AudioEncoder, WhisperEncoder)
Tensors = dict[str, Tensor]
# of Stable Diffusion 1.5 and all that is trained from it, whatever licence its publisher names besides
SD15_TERMS = (
    "derived from Stable Diffusion 1.5, whose CreativeML OpenRAIL-M licence forbids some uses (its "
    "attachment A) and binds derived weights too"
)
WIDE_LOCATOR = (16, 32, 96, 256)
# Stable Diffusion's names -> ours, of what the originals put into its transformer blocks
BLOCK = r"(attentions\.\d+\.transformer_blocks\.0\.)"
AUDIO: Rules = [(BLOCK + r"attn2\.", r"\1attn_audio."), (BLOCK + r"norm2\.", r"\1norm_audio.")]
AUDIO_BACK: Rules = [(BLOCK + r"attn_audio\.", r"\1attn2."), (BLOCK + r"norm_audio\.", r"\1norm2.")]


@dataclass(frozen=True)
class Release:
    """A published set of weights."""

    title: str
    licence: str  # of the weights
    source: str  # where they come from
    config: EMOConfig

    @property
    def remedy(self) -> str:
        return (
            f"Expected are the weights of {self.title} as released. The file is damaged, of another version, "
            f"or of several releases: get all of its files again from {self.source}"
        )

    @property
    def notes(self) -> dict[str, str]:
        return {"title": self.title, "licence": self.licence, "source": self.source, "terms": SD15_TERMS}


@dataclass(frozen=True)
class Hearing(Generic[Encoder]):
    """A speech encoder, and how its features come onto the frames."""

    name: str  # the encoder's, in words
    kind: type[Encoder]
    build: Callable[[AudioConfig], Encoder]  # with random weights
    published: Callable[[Tensors, AudioConfig, str], Encoder]  # of a file's tensors; the last is its name
    # audio, frames -> feature rows (R, layers, D), of which each frame reads a window
    features: Callable[[Encoder, Audio, int, EMOConfig], Tensor]
    plain: bool = False  # the rows are the encoder's outputs at each frame, which other programs give too

    def rows(self, encoder: SpeechEncoder, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
        """Raises ValueError when the encoder is another one."""
        if not isinstance(encoder, self.kind):
            raise ValueError(
                f"{config.name} was trained on {self.name}, this encoder is {type(encoder).__name__}: load "
                "the right one"
            )
        return self.features(encoder, audio, frames, config)


@dataclass(frozen=True)
class Files:
    """How the family's weights are released. Their originals' inference need not read all of them."""

    main: str  # the file to name, without suffix: variants add to it
    expected: str  # in words
    owns: Callable[[Tensors], bool]  # whether the main file's tensors are this family's
    # main file, its tensors, what reads a file beside it by its stem -> the release, tensors by our names
    read: Callable[[Path, Tensors, Callable[[str], Tensors]], tuple[str, Tensors]]
    # a release's name, its configuration, tensors by our names -> those of each file, by its stem
    write: Callable[[str, EMOConfig, Tensors], dict[str, Tensors]]
    beside: tuple[str, ...] = ()  # how the names of the other files begin
    unread: str = "$^"  # a pattern of our names


@dataclass(frozen=True)
class Family:
    """How one kind of weights hears, sees the face, and is released."""

    hearing: Hearing[AudioEncoder] | Hearing[WhisperEncoder]
    # The face's box, height and width of the portrait, MediaPipe's mesh or the 68 points if there are any
    cues: Callable[[Box, int, int, Tensor | None], Cues]
    picture_channels: int = 3  # of what `cues` draws
    regions: bool = False  # `cues` says where the audio branches act
    reads_points: bool = False  # `cues` makes more of points than of a box
    any_region: bool = False  # the locator reads a region of any form, or none; else a box for each face
    releases: dict[str, Release] = field(default_factory=dict)
    files: Files | None = None  # None: never released

    def check(self, config: EMOConfig) -> None:
        """Raises ValueError when `cues` do not give what the configuration's networks read."""
        inputs, branches = config.quirks.locator_inputs, config.backbone.quirks.audio_branches
        drawn = 3 if config.quirks.locator_pictures else self.picture_channels
        if inputs != drawn:
            raise ValueError(
                f"{config.name} has locator_inputs {inputs}; the pictures of {config.family} have {drawn}"
            )
        if branches and not self.regions:
            raise ValueError(
                f"{config.name} has {branches} audio_branches, for which {config.family} has no regions"
            )


def wav2vec2(
    name: str, features: Callable[[AudioEncoder, Audio, int, EMOConfig], Tensor], plain: bool = False
) -> Hearing[AudioEncoder]:
    def build(audio: AudioConfig) -> AudioEncoder:
        return AudioEncoder(audio.encoder, audio.normalize)

    def published(state: Tensors, audio: AudioConfig, source: str) -> AudioEncoder:
        return build_wav2vec2(state, audio.normalize, source, audio.encoder)

    return Hearing(name, AudioEncoder, build, published, features, plain)


def schedule(beta_schedule: Literal["linear", "scaled_linear"], steps: int, cfg: float) -> ScheduleConfig:
    """What the relatives have in common."""
    return ScheduleConfig(
        "v_prediction",
        beta_schedule,
        zero_terminal_snr=True,
        solver="ddim-diffusers",
        steps=steps,
        cfg=cfg,
    )


def part_of(state: Tensors, part: str) -> Tensors:
    """Inverse of `under`."""
    return {key.removeprefix(f"{part}."): v for key, v in state.items() if key.startswith(f"{part}.")}


def under(part: str, state: Tensors) -> Tensors:
    return {f"{part}.{key}": value for key, value in state.items()}
