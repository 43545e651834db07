"""What each type of socket takes: the thing that is meant, or a sentence about what came instead.

Links between typed sockets bring the right type; nodes with an output of any type bring everything.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...emo_modules.cues.face import Crop
from ...emo_modules.media.finite import check_finite
from .audio import ManagedAudioEncoder, encoded_layers
from .earlier import take_earlier
from .faces import boxes, landmarks
from .pictures import masks, pictures
from .reference import Reference, ReferenceNet
from .sampling import emo_config
from .sound import sound
from .values import as_tensor, describe

PICTURE = 2  # axes of its latents: 1 is sound, 3 video
VAE_METHODS = ("encode", "decode", "decode_tiled")  # CLIP has the first two


@dataclass(frozen=True)
class Kind:
    """How what comes is taken, and what to do when nothing comes; without a remedy the node says it."""

    take: Callable[[str, Any, logging.Logger], Any]
    remedy: str | None


def take(kind: str, name: str, value: Any, log: logging.Logger) -> Any:
    """What the socket `name`, of ComfyUI's type `kind`, means. Raises ValueError for nothing or another
    thing, with what is expected and what came."""
    if kind not in KINDS:
        return value
    if value is None and KINDS[kind].remedy is None:
        return None
    if value is None:
        raise ValueError(f"the {name} is missing: {KINDS[kind].remedy}")
    return KINDS[kind].take(name, value, log)


def _only(wanted: type, meaning: str, remedy: str) -> Kind:
    def take(name: str, value: Any, log: logging.Logger) -> Any:
        if not isinstance(value, wanted):
            raise ValueError(f"{name} must be {meaning}, got {describe(value)}: {remedy}")
        return value

    return Kind(take, remedy)


def _model(name: str, value: Any, log: logging.Logger) -> Any:
    emo_config(value)
    return value


def _vae(name: str, value: Any, log: logging.Logger) -> Any:
    usable = all(callable(getattr(value, method, None)) for method in VAE_METHODS)
    if not usable or getattr(value, "latent_dim", PICTURE) != PICTURE:
        raise ValueError(
            f"{name} must be a VAE of pictures, got {describe(value)}: connect EMO Load Model's, or a "
            "Load VAE with Stable Diffusion's"
        )
    return value


def check_decodes(vae: Any, latents: Tensor) -> None:
    """Raises ValueError for latents (F, C, h, w) of another number of channels than the VAE's."""
    channels = getattr(vae, "latent_channels", latents.shape[1])
    if channels != latents.shape[1]:
        raise ValueError(
            f"the VAE decodes latents of {channels} channels, samples are {tuple(latents.shape)} with "
            f"{latents.shape[1]}: connect the latent of EMO Sampler and the VAE that its model came with"
        )


def _latents(name: str, value: Any, log: logging.Logger) -> dict[str, Any]:
    """LATENT, with its samples (F, C, h, w) finite."""
    samples = as_tensor(value.get("samples")) if isinstance(value, Mapping) else None
    if samples is None or not samples.is_floating_point() or not samples.numel():
        raise ValueError(
            f"{name} must be a LATENT with samples, got {describe(value)}: connect EMO Sampler's latent"
        )
    if samples.ndim != 4:
        raise ValueError(
            f"{name} must have samples (frames, channels, height, width), got {describe(samples)}, which is "
            "another model's: connect EMO Sampler's latent, or decode this one with its own VAE"
        )
    check_finite(samples, name)
    return dict(value) | {"samples": samples}


def _speech(name: str, value: Any, log: logging.Logger) -> Any:
    """An encoder, ours or core's, or what core's encoder nodes give: every block's output (B, T, D)."""
    if isinstance(value, ManagedAudioEncoder) or callable(getattr(value, "encode_audio", None)):
        return value
    encoded_layers(name, value)
    return value


KINDS = {
    "IMAGE": Kind(pictures, "what is connected gives no picture"),
    "MASK": Kind(masks, "what is connected gives no mask"),
    "AUDIO": Kind(sound, "the video or file it came from has no sound"),
    "LATENT,VIDEO": Kind(take_earlier(_latents), None),
    "LATENT": Kind(_latents, "connect EMO Sampler's latent"),
    "MODEL": Kind(_model, "connect EMO Load Model"),
    "VAE": Kind(_vae, None),
    "AUDIO_ENCODER,AUDIO_ENCODER_OUTPUT": Kind(_speech, "connect EMO Load Audio Encoder"),
    "EMO_REFERENCE_NET": _only(ReferenceNet, "a ReferenceNet", "connect EMO Load Model"),
    "EMO_REFERENCE": _only(Reference, "an encoded portrait", "connect EMO Reference Net Encode"),
    "EMO_CROP": _only(Crop, "the crop of a picture", "connect EMO Face Region"),
    "BOUNDING_BOX": Kind(boxes, "what is connected gives no box"),
    "FACE_LANDMARKS": Kind(landmarks, "connect MediaPipe Face Landmarker"),
}
