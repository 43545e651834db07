"""A checkpoint with LoRAs merged into it: one file that needs none of them any more."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ..writing.place import check_file_place
from .adapter import Adapter, AdapterUse, read_adapter
from .encoders import load_audio_encoder, load_vae
from .store import load_checkpoint, save_checkpoint

TERMS = ("licence", "terms")


def merge(
    weights: Path,
    output: Path,
    adapters: Sequence[AdapterUse],
    vae: Path | None = None,
    audio_encoder: Path | None = None,
    dtype: torch.dtype | None = None,
) -> dict[str, str]:
    """Write `output`, of a released set or a checkpoint of ours; returns its notes. Floating-point tensors
    become `dtype`, or stay as they are stored.

    Raises ValueError as `read_checkpoint`, ValueError or WriteError when `output` cannot be written.
    """
    check_file_place(output, (".safetensors",), [weights, *(use.path for use in adapters)])
    loaded = load_checkpoint(weights, "cpu", None, adapters=adapters)
    assert loaded.model is not None  # asked for
    parts: dict[str, nn.Module] = dict(loaded.model.named_children())
    own_vae = load_vae(vae, loaded.config, "cpu", None) if vae else loaded.vae
    encoder = loaded.audio_encoder
    if audio_encoder:
        encoder = load_audio_encoder(audio_encoder, loaded.config, "cpu")
    parts |= {name: part for name, part in (("vae", own_vae), ("audio_encoder", encoder)) if part is not None}
    notes = merged_notes(loaded.notes, [read_adapter(use.path) for use in adapters])
    save_checkpoint(output, loaded.config, parts, notes, dtype)
    return notes


def merged_notes(notes: dict[str, str], adapters: Sequence[Adapter]) -> dict[str, str]:
    """Licences and terms of all that was merged hold together."""
    names = " and ".join(adapter.path.stem for adapter in adapters)
    said = [notes, *(adapter.notes for adapter in adapters)]
    terms = {name: list(dict.fromkeys(one[name] for one in said if name in one)) for name in TERMS}
    joined = {name: "; ".join(texts) for name, texts in terms.items() if texts}
    return notes | joined | {"title": f"{notes.get('title', 'EMO')} with {names}"}
