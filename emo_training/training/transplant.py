"""The released weights of EMO's relatives as the starting point of a training."""

import re
from dataclasses import replace

import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.families.family import Release
from emo_modules.models.emo import EMO

AUDIO = r"\.(attn|norm)_audio\.|^audio_projection\."
JOINED = (r"\.attn1\.", ".attn_ref."), (r"\.norm1\.(?=weight|bias)", ".norm_ref.")


def starting_config(config: EMOConfig, release: Release) -> EMOConfig:
    """`config` with the noise schedule and the prediction that the family's weights were trained with."""
    schedule = replace(release.config.schedule, solver="ddim")
    return replace(config, schedule=schedule)


def initialise_from_relative(
    model: EMO, release: Release, tensors: dict[str, Tensor], source: str
) -> list[str]:
    """Copy every tensor that has a place of its shape in `model`; returns the names left as they were.

    Audio layers come along only if they read tokens as wide as the model's. Where the family joins the
    reference to self-attention, reference-attention starts from self-attention's weights, which is what
    reads the reference there. Raises ValueError when the model has another width than the weights.
    """
    config, own = release.config.backbone, model.state_dict()
    given = tensors if config.audio_dim == model.config.backbone.audio_dim else without_audio(tensors)
    if config.quirks.reference_join == "concat":
        given = given | as_reference_attention(given)
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    first = "backbone.conv_in.weight"
    if first not in fitting:
        found = f"is {tuple(tensors[first].shape)}" if first in tensors else "is missing"
        raise ValueError(
            f"{source} ({release.title}) does not fit: its {first} {found}, "
            f"the model's is {tuple(own[first].shape)}; start from the paper's preset"
        )
    with torch.no_grad():
        model.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


def without_audio(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if not re.search(AUDIO, key)}


def as_reference_attention(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    copies = {}
    for key, value in tensors.items():
        if key.startswith("backbone.") and ".attentions." in key:
            for pattern, name in JOINED:
                if re.search(pattern, key):
                    copies[re.sub(pattern, name, key)] = value
    return copies
