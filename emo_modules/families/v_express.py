"""V-Express (arXiv 2406.02511). Figures are those of the release's own inference script."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..config import AudioConfig, EMOConfig, UNetConfig
from ..cues.box import Box
from ..cues.landmarks import draw_kps, estimate_kps, kps_of
from ..cues.locator import Cues
from ..quirks import Quirks, UNetQuirks, WindowConfig
from ..speech.relatives import v_express_features
from ..weights.animatediff import animatediff_motion_modules, as_animatediff
from ..weights.rename import Rules, rename
from .family import (
    AUDIO,
    AUDIO_BACK,
    BLOCK,
    WIDE_LOCATOR,
    Family,
    Files,
    Release,
    Tensors,
    part_of,
    schedule,
    under,
    wav2vec2,
)

REFERENCE_BACK: Rules = [(BLOCK + r"attn_ref\.", r"\1attn1_5."), (BLOCK + r"norm_ref\.", r"\1norm1_5.")]
REFERENCE: Rules = [(BLOCK + r"attn1_5\.", r"\1attn_ref."), (BLOCK + r"norm1_5\.", r"\1norm_ref.")]


def _config() -> EMOConfig:
    return replace(
        EMOConfig.sd15(),
        name="v-express",
        family="v_express",
        fps=30.0,
        clip_frames=24,
        motion_frames=0,
        backbone=UNetConfig(audio_dim=768, quirks=UNetQuirks(reference_scale=0.95, audio_scale=3.0)),
        reference_net=UNetConfig("writes", quirks=UNetQuirks(context_dim=768)),
        audio=AudioConfig(layers=1, tokens=5),
        schedule=schedule("scaled_linear", 25, 3.5),
        face_locator_channels=WIDE_LOCATOR,
        quirks=Quirks(
            audio_projection="perceiver",
            audio_rows=2,
            audio_ends="zeros",
            windows=WindowConfig(frames=24, overlap=4, ends="inside", shift=0),
            locator_inputs=3,
            locator_convs=2,
            face_guided=True,
        ),
    )


def _cues(face: Box, height: int, width: int, points: Tensor | None) -> Cues:
    kps = estimate_kps(face) if points is None else kps_of(points)
    return Cues(draw_kps(kps, height, width)[None], None)


def _owns(state: Tensors) -> bool:
    return any(".attn1_5." in key for key in state)


def _read(main: Path, state: Tensors, beside: Callable[[str], Tensors]) -> tuple[str, Tensors]:
    audio = beside("audio_projection")
    if "latents" in audio:
        audio["latents.weight"] = audio.pop("latents").squeeze(0)
    backbone = rename(state | beside("motion_module"), REFERENCE + AUDIO)
    tensors = under("backbone", animatediff_motion_modules(backbone, str(main)))
    tensors |= under("reference_net", beside("reference_net"))
    tensors |= under("face_locator", beside("v_kps_guider")) | under("audio_projection", audio)
    return "v_express", tensors


def _write(name: str, config: EMOConfig, state: Tensors) -> dict[str, Tensors]:
    """The temporal modules are in two files, as released."""
    audio = part_of(state, "audio_projection")
    audio["latents"] = audio.pop("latents.weight")[None]
    backbone = rename(as_animatediff(part_of(state, "backbone")), REFERENCE_BACK + AUDIO_BACK)
    return {
        "denoising_unet": backbone,
        "motion_module": {key: value for key, value in backbone.items() if ".motion_modules." in key},
        "reference_net": part_of(state, "reference_net"),
        "v_kps_guider": part_of(state, "face_locator"),
        "audio_projection": audio,
    }


V_EXPRESS = Family(
    wav2vec2(
        "wav2vec2-base-960h", lambda encoder, audio, frames, _: v_express_features(encoder, audio, frames)
    ),
    _cues,
    reads_points=True,
    releases={
        "v_express": Release(
            "V-Express",
            "for non-commercial research only, as its README says",
            "https://huggingface.co/tk93/V-Express",
            _config(),
        ),
    },
    files=Files(
        "denoising_unet",
        "denoising_unet of V-Express with its other files beside it",
        _owns,
        _read,
        _write,
        beside=("motion_module", "reference_net", "audio_projection", "v_kps_guider"),
        unread=r"^reference_net\.conv_(norm_)?out\.",
    ),
)
