"""EchoMimic (arXiv 2407.08136), moved by a region or by landmarks, whole or accelerated. Figures are those of
the release's own inference scripts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..config import AudioConfig, EMOConfig, UNetConfig
from ..cues.box import Box
from ..cues.landmarks import outline
from ..cues.locator import Cues
from ..cues.masks import echomimic_region
from ..quirks import Quirks, UNetQuirks, WindowConfig
from ..speech.whisper import WHISPER_TINY, WhisperEncoder, encode_whisper
from ..weights.animatediff import animatediff_motion_modules, as_animatediff
from ..weights.rename import rename
from ..weights.whisper import build_whisper
from .family import (
    AUDIO,
    AUDIO_BACK,
    WIDE_LOCATOR,
    Family,
    Files,
    Hearing,
    Release,
    Tensors,
    part_of,
    schedule,
    under,
)

MAIN = "denoising_unet"
SOURCE = "https://huggingface.co/BadToBest/EchoMimic"
TITLES = {
    "echomimic": "EchoMimic",
    "echomimic_acc": "EchoMimic, accelerated",
    "echomimic_pose": "EchoMimic with landmarks",
    "echomimic_pose_acc": "EchoMimic with landmarks, accelerated",
}
WIDTH = 384  # channels of what audio-attention reads, from whisper-tiny


def _config(release: str) -> EMOConfig:
    pose = "_pose" in release
    steps, cfg = (6, 1.0) if "_acc" in release else (30, 2.5)
    joined = UNetQuirks("concat")
    return replace(
        EMOConfig.sd15(),
        name=release.replace("_", "-"),
        family="echomimic",
        fps=24.0,
        clip_frames=12,
        motion_frames=0,
        backbone=UNetConfig(audio_dim=WIDTH, quirks=replace(joined, audio_scale=3.0)),
        reference_net=UNetConfig("writes", quirks=joined),
        audio=AudioConfig(WHISPER_TINY, layers=5, feature_dim=WIDTH),
        schedule=schedule("linear", steps, cfg),
        face_locator_channels=WIDE_LOCATOR,
        quirks=Quirks(
            audio_projection="none",
            audio_rows=2,
            audio_row_rate=50.0,
            windows=WindowConfig(frames=12, overlap=3, ends="wrap", shift=3 if pose else 2),
            locator_inputs=3 if pose else 1,
            locator_convs=2,
            locator_pictures=pose,
            face_guided=True,
            noise_limit=None if pose else 1.5,
        ),
    )


def _cues(face: Box, height: int, width: int, points: Tensor | None) -> Cues:
    return Cues(echomimic_region(outline(face, points), height, width)[None], None)


def _owns(state: Tensors) -> bool:
    found = next((v for k, v in state.items() if k.endswith("transformer_blocks.0.attn2.to_k.weight")), None)
    return found is not None and found.ndim == 2 and found.shape[1] == WIDTH


def _read(main: Path, state: Tensors, beside: Callable[[str], Tensors]) -> tuple[str, Tensors]:
    variant = main.stem.removeprefix(MAIN)
    pose = "_pose" if "_pose" in variant else ""
    locator = beside("face_locator" + pose)
    backbone = rename(state | beside("motion_module" + variant), AUDIO)
    tensors = under("backbone", animatediff_motion_modules(backbone, str(main)))
    tensors |= under("reference_net", beside("reference_unet" + pose)) | under("face_locator", locator)
    return f"echomimic{pose}{'_acc' if '_acc' in variant else ''}", tensors


def _write(name: str, config: EMOConfig, state: Tensors) -> dict[str, Tensors]:
    variant = name.removeprefix("echomimic")
    pose = "_pose" if "_pose" in variant else ""
    backbone = rename(as_animatediff(part_of(state, "backbone")), AUDIO_BACK)
    motion = {key: value for key, value in backbone.items() if ".motion_modules." in key}
    return {
        MAIN + variant: {key: value for key, value in backbone.items() if key not in motion},
        "motion_module" + variant: motion,
        "reference_unet" + pose: part_of(state, "reference_net"),
        "face_locator" + pose: part_of(state, "face_locator"),
    }


ECHOMIMIC = Family(
    Hearing(
        "whisper-tiny",
        WhisperEncoder,
        build=lambda audio: WhisperEncoder(audio.encoder),
        published=lambda state, audio, source: build_whisper(state, source),
        features=lambda encoder, audio, frames, config: encode_whisper(encoder, audio),
    ),
    _cues,
    picture_channels=1,
    releases={name: Release(title, "Apache-2.0", SOURCE, _config(name)) for name, title in TITLES.items()},
    files=Files(
        MAIN,
        "denoising_unet of EchoMimic with its other files beside it",
        _owns,
        _read,
        _write,
        beside=("motion_module", "reference_unet", "face_locator"),
    ),
)
