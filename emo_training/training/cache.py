"""Latents and speech features of whole samples on disk: neither VAE nor speech encoder runs in a step.

Worth it where the same samples are seen often, as with one person's: a second of 512 px takes 0.8 MB of
latents and, with wav2vec2-base, 0.5 MB of features.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.writing.digest import digest
from emo_modules.writing.partial import whole_file, write_json

from ..footage.shards import SampleEntry

MADE = "made.json"
LATENTS, SPEECH = "latents", "speech"


@dataclass(frozen=True)
class Cache:
    """The files of a folder: `latents/KEY.safetensors` and `speech/KEY.safetensors`, half precision."""

    folder: Path

    def latents(self, entry: SampleEntry, places: Sequence[int]) -> Tensor:
        """Those frames' (N, C, h, w) float32."""
        with safe_open(self.path(LATENTS, entry), framework="pt") as file:
            stored = file.get_slice(LATENTS)
            return torch.cat([stored[place : place + 1] for place in places]).float()

    def speech(self, entry: SampleEntry) -> Tensor:
        """The sample's feature rows (R, layers, D) float32."""
        with safe_open(self.path(SPEECH, entry), framework="pt") as file:
            return file.get_tensor(SPEECH).float()

    def path(self, kind: str, entry: SampleEntry) -> Path:
        return self.folder / kind / f"{entry.key}.safetensors"

    def fill(
        self, kind: str, entries: Sequence[SampleEntry], encode: Callable[[SampleEntry], Tensor]
    ) -> None:
        """Makes the files that are not there; a kill leaves whole ones only."""
        for entry in entries:
            path = self.path(kind, entry)
            if not path.exists():
                with whole_file(path) as partial:
                    save_file({kind: encode(entry).half().cpu().contiguous()}, partial)


def open_cache(folder: Path, kind: str, made_by: dict[str, Any]) -> Cache:
    """Raises ValueError when another network made what is there, or of other pictures."""
    path = folder / kind / MADE
    found = json.loads(path.read_text()) if path.exists() else made_by
    if others := [name for name, value in made_by.items() if found.get(name) != value]:
        raise ValueError(
            f"{folder / kind} was made with another {' and another '.join(others)}: name another --cache, or "
            "delete it"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, made_by)
    return Cache(folder)


def latents_made_by(vae: nn.Module, config: EMOConfig) -> dict[str, Any]:
    return {"VAE": digest(vae.state_dict()), "size": [config.width, config.height]}


def speech_made_by(encoder: nn.Module, config: EMOConfig) -> dict[str, Any]:
    return {"speech encoder": digest(encoder.state_dict()), "frame rate": config.fps}
