"""The relatives' released files -> one file of ours, checked against the model before it is written."""

from pathlib import Path

import torch
from torch import nn

from ..families.family import Release
from ..models.emo import EMO
from ..weights.reading import read_header
from ..writing.place import check_file_place
from .encoders import load_audio_encoder, load_vae
from .released import EXPECTED, read_released
from .store import CONFIG, Checkpoint, save_checkpoint


def convert(
    weights: Path,
    output: Path,
    vae: Path | None = None,
    audio_encoder: Path | None = None,
    dtype: torch.dtype | None = None,
) -> Release:
    """Write `output` with the family's configuration and licence; floating-point tensors become `dtype`, or
    stay as released.

    Raises ValueError naming the file when a key is missing, left over or of another shape, ValueError or
    WriteError when `output` cannot be written.
    """
    check_file_place(output, (".safetensors",), [weights])
    if weights.suffix == ".safetensors" and CONFIG in read_header(weights, EXPECTED)[0]:
        raise ValueError(f"{weights}: is a converted file already; use it as it is")
    release, tensors = read_released(weights)
    with torch.device("meta"):
        model = EMO(release.config)
    parts: dict[str, nn.Module] = dict(model.named_children())
    Checkpoint(weights, release.config, tensors, release.notes, release.remedy).load_into(parts, "cpu", None)
    if vae:
        parts["vae"] = load_vae(vae, release.config, "cpu", None)
    if audio_encoder:
        parts["audio_encoder"] = load_audio_encoder(audio_encoder, release.config, "cpu")
    save_checkpoint(output, release.config, parts, release.notes, dtype)
    return release
