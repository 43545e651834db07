"""Hallo (arXiv 2406.08801), Hallo2 (2410.07718) and JoyHallo (2409.13268). Figures are those of the releases'
own inference scripts."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..config import EMOConfig, UNetConfig
from ..cues.box import Box
from ..cues.landmarks import lips_box, outline
from ..cues.locator import Cues
from ..cues.masks import attention_masks, hallo_region, mask_levels
from ..media.audio import SAMPLE_RATE, Audio
from ..models.relatives.regions import read_regions
from ..models.unet import UNet
from ..quirks import IdentityConfig, Quirks, UNetQuirks
from ..speech.relatives import hallo_features
from ..speech.wav2vec2 import AudioEncoder
from ..weights.animatediff import animatediff_motion_modules, as_animatediff
from ..weights.rename import Rules, rename
from .family import Family, Files, Release, Tensors, schedule, under, wav2vec2

SETS = [
    ("hallo", "Hallo", "fudan-generative-ai/hallo"),
    ("hallo2", "Hallo2", "fudan-generative-ai/hallo2"),
    ("joyhallo", "JoyHallo", "jdh-algo/JoyHallo-v1"),
]
PARTS: Rules = [
    (r"^denoising_unet\.", "backbone."),
    (r"^reference_unet\.", "reference_net."),
    (r"^imageproj\.", "reference_net.identity_projection."),
    (r"^audioproj\.", "audio_projection."),
]
NAMES: Rules = [  # back again
    (r"^reference_net\.identity_projection\.", "imageproj."),
    (r"^reference_net\.", "reference_unet."),
    (r"^backbone\.", "denoising_unet."),
    (r"^audio_projection\.", "audioproj."),
]
ZERO_CONV = r"\.zero_conv_\w+\.weight$"


def _config(name: str) -> EMOConfig:
    written = UNetQuirks("concat", context_dim=768)
    read = replace(written, audio_branches=1 if name == "joyhallo" else 3, temporal_without_attention=False)
    return replace(
        EMOConfig.sd15(),
        name=name,
        family="hallo",
        clip_frames=16,
        motion_frames=2,
        backbone=UNetConfig(audio_dim=768, quirks=read),
        reference_net=UNetConfig("writes", quirks=written),
        schedule=schedule("linear", 40, 3.5),
        face_locator_channels=(16, 32, 64, 128),
        quirks=Quirks(
            identity=IdentityConfig(tiled=True),
            first_motion="portrait",
            motion_pixels=True,
            locator_inputs=3,
            locator_convs=2,
            face_guided=True,
        ),
    )


def _features(encoder: AudioEncoder, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
    """The last clip is filled up with silence, as the original does."""
    rendered = config.whole_clips(frames)
    return hallo_features(encoder, audio, rendered, (rendered - frames) * int(SAMPLE_RATE // config.fps))


def _cues(face: Box, height: int, width: int, points: Tensor | None) -> Cues:
    lips = None if points is None else lips_box(points)
    face = outline(face, points)
    masks = attention_masks(face, lips, height, width)
    levels = zip(*(mask_levels(mask) for mask in masks), strict=True)
    return Cues(hallo_region(face, height, width)[None], read_regions(list(levels)))


def _owns(state: Tensors) -> bool:
    return any(key.startswith("denoising_unet.") for key in state)


def _read(main: Path, state: Tensors, beside: Callable[[str], Tensors]) -> tuple[str, Tensors]:
    own = any(".attn2_1." in key for key in state)
    second = "hallo2" in "/".join(main.parts[-2:]).lower()  # the same keys and shapes as the first
    tensors = animatediff_motion_modules(rename(state, PARTS), str(main))
    for key, value in tensors.items():
        if value.ndim == 4 and re.search(ZERO_CONV, key):
            tensors[key] = value.flatten(1)  # a 1x1 convolution is a linear layer on tokens
    return ("hallo2" if second else "hallo") if own else "joyhallo", tensors


def _write(name: str, config: EMOConfig, state: Tensors) -> dict[str, Tensors]:
    """The temporal modules that are never run, which the original's loader insists on, are zeros."""
    tensors = dict(state)
    quirks = replace(config.backbone.quirks, temporal_without_attention=True)
    with torch.device("meta"):
        whole = UNet(replace(config.backbone, quirks=quirks))
    like = state["backbone.conv_in.weight"]
    for key, value in under("backbone", whole.state_dict()).items():
        if key not in tensors:
            tensors[key] = like.new_zeros(value.shape)
        if re.search(ZERO_CONV, key):
            tensors[key] = tensors[key][:, :, None, None]
    return {"net": rename(as_animatediff(tensors), NAMES)}


HALLO = Family(
    wav2vec2("wav2vec2-base-960h (JoyHallo: chinese-wav2vec2-base)", _features),
    _cues,
    regions=True,
    reads_points=True,
    releases={
        name: Release(title, "MIT", f"https://huggingface.co/{place}", _config(name))
        for name, title, place in SETS
    },
    files=Files(
        "net",
        "net.pth of Hallo, Hallo2 or JoyHallo",
        _owns,
        _read,
        _write,
        # temporal modules where there is no attention: AnimateDiff's, as they were
        unread=r"^backbone\.(down_blocks\.3|up_blocks\.0)\.motion_modules\.",
    ),
)
