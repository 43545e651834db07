"""The relatives' released files -> one file of ours, checked against the model first; and back."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from ..families.family import Release
from ..families.table import family_of
from ..models.emo import EMO
from ..weights.reading import read_header
from ..writing.partial import whole_file
from ..writing.place import check_file_place
from .encoders import load_audio_encoder, load_vae
from .released import EXPECTED, read_released
from .store import CONFIG, Checkpoint, read_checkpoint, save_checkpoint


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


def convert_back(checkpoint: Path, folder: Path, dtype: torch.dtype | None = None) -> list[Path]:
    """Write the files of a release into `folder` as safetensors, with its names, keys and shapes, from a
    checkpoint of ours in a relative's structure; floating-point tensors become `dtype`, or stay.

    Raises ValueError when it is of EMO's own structure or does not fit, and ValueError or WriteError when a
    file cannot be written.
    """
    found = read_checkpoint(checkpoint)
    config, family = found.config, family_of(found.config)
    names = [name for name, release in family.releases.items() if release.config.name == config.name]
    if family.files is None or not names:
        raise ValueError(
            f"{checkpoint} is {config.name}, of which there is no release: expected is a checkpoint trained "
            "from the weights of one of EMO's relatives"
        )
    with found.on_meta():
        parts = dict(EMO(config).named_children())
    found.check(parts)
    model = {key: value for key, value in found.tensors.items() if key.split(".", 1)[0] in parts}
    written = []
    for stem, tensors in family.files.write(names[0], config, model).items():
        file = folder / f"{stem}.safetensors"
        check_file_place(file, (".safetensors",), [checkpoint])
        converted = {key: value.to("cpu", dtype).contiguous() for key, value in tensors.items()}
        with whole_file(file) as partial:
            save_file(converted, partial, metadata={"format": "pt"} | found.notes)
        written.append(file)
    return written
