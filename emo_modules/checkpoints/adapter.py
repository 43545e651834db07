"""LoRA (arXiv 2106.09685): small files that change some layers of one family's models.

A layer's weight W becomes W + strength * alpha / rank * B A. The names are those that ComfyUI's own LoRA
loaders know: `diffusion_model.` stands before the Denoiser's layers. ReferenceNet is another model there, and
its layers are called as in a checkpoint, `reference_net.`
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import torch
from torch import Tensor

from ..checked import Checked, Range, from_dict
from ..config import EMOConfig
from ..schedule import FewSteps
from ..weights.reading import describe_keys, read_header, read_tensors
from ..writing.digest import digest, file_digest
from .files import write_files

INFO = "emo_lora"
DENOISER = "diffusion_model."  # before all names but ReferenceNet's
REFERENCE_NET = "reference_net"
KEY = re.compile(rf"({re.escape(DENOISER)})?(.+)\.(lora_A\.weight|lora_B\.weight|alpha)")
EXPECTED = "a LoRA for EMO or one of its relatives (safetensors with emo_lora in its metadata)"
WHERE = "`python -m emo_training train --lora 16` writes them"
FILE_REMEDY = "the file is damaged or mixes two of them: get it again"


@dataclass(frozen=True)
class AdapterInfo(Checked):
    """What an adapter's metadata says of it."""

    family: str
    rank: Annotated[int, Range(1, 4096)]
    parts: tuple[str, ...]  # of a checkpoint, that it changes
    base: str = ""  # the title of the weights that it was trained on
    few_steps: FewSteps | None = None  # of one that was distilled


class LowRank(NamedTuple):
    """What one layer's weight (out, in) or (out, in, k, k) changes by."""

    down: Tensor  # A: (rank, in) or (rank, in, k, k)
    up: Tensor  # B: (out, rank) or (out, rank, 1, 1)
    alpha: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight that it fits."""
        return (len(self.up), *self.down.shape[1:])

    def change(self) -> Tensor:
        """Of the weight, float32."""
        product = self.up.flatten(1).float() @ self.down.flatten(1).float()
        return product.reshape(self.shape) * (self.alpha / len(self.down))


@dataclass(frozen=True)
class Adapter:
    """A file's layers by their names in a checkpoint, without `.weight`."""

    path: Path
    info: AdapterInfo
    layers: dict[str, LowRank]
    notes: dict[str, str]

    def check(self, config: EMOConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raises ValueError when a model of `config`, with weights of these shapes by full key, is not the
        kind that the adapter was trained on."""
        trained_on = f" ({self.info.base})" if self.info.base else ""
        if config.family != self.info.family:
            raise ValueError(
                f"{self.path} is a LoRA for the family {self.info.family}, the model is of {config.family}: "
                f"load the checkpoint that it was trained on{trained_on}"
            )
        for name, layer in self.layers.items():
            found = shapes.get(f"{name}.weight")
            if found != layer.shape:
                has = "has no such layer" if found is None else f"has {tuple(found)} there"
                raise ValueError(
                    f"{self.path} does not fit: its {name} changes {layer.shape}, {config.name} {has}; "
                    f"load the checkpoint that it was trained on{trained_on}"
                )


@dataclass(frozen=True)
class AdapterUse:
    """An adapter's file, and how much of it counts: 1 is as trained, 0 nothing."""

    path: Path
    strength: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """FILE or FILE:STRENGTH."""
        path, _, strength = text.rpartition(":")
        try:
            return cls(Path(path), float(strength)) if path else cls(Path(text))
        except ValueError:  # a colon in the name, such as that of a drive
            return cls(Path(text))

    def __str__(self) -> str:
        return f"{self.path}:{self.strength!r}"

    def digest(self) -> str:
        """Tells this use from others. Raises FileNotFoundError."""
        return digest(file_digest(self.path), self.strength)


@dataclass(frozen=True)
class Applied:
    """An adapter that changes weights as they are loaded."""

    adapter: Adapter
    strength: float

    def changed(self, key: str, weight: Tensor) -> Tensor:
        """The weight of that full key, float32 where it changes."""
        layer = self.adapter.layers.get(key.removesuffix(".weight")) if key.endswith(".weight") else None
        return weight if layer is None else weight.float() + self.strength * layer.change()


def read_adapter(path: Path) -> Adapter:
    """Raises ValueError that names the file and what is wrong, FileNotFoundError when nothing is there."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: nothing there; expected {EXPECTED}")
    metadata, keys = read_header(path, EXPECTED)
    if INFO not in metadata:
        raise ValueError(f"{path}: expected {EXPECTED}; found {describe_keys(keys)}. {WHERE}")
    try:
        info = from_dict(AdapterInfo, json.loads(metadata[INFO]), FILE_REMEDY)
    except ValueError as error:
        raise ValueError(f"{path}: its metadata cannot be read: {error}") from error
    layers = _layers(path, read_tensors([path]), info.rank)
    notes = {name: text for name, text in metadata.items() if name not in (INFO, "format")}
    return Adapter(path, info, layers, notes)


def _layers(path: Path, tensors: dict[str, Tensor], rank: int) -> dict[str, LowRank]:
    grouped: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if (match := KEY.fullmatch(key)) is None:
            raise ValueError(f"{path} has {key}, which is no part of a LoRA: {FILE_REMEDY}")
        grouped.setdefault(match[2], {})[match[3]] = tensor
    return {name: _layer(path, name, parts, rank) for name, parts in grouped.items()}


def _layer(path: Path, name: str, parts: dict[str, Tensor], rank: int) -> LowRank:
    if missing := {"lora_A.weight", "lora_B.weight", "alpha"} - set(parts):
        raise ValueError(f"{path}: {name} has no {' and no '.join(sorted(missing))}; {FILE_REMEDY}")
    down, up = parts["lora_A.weight"], parts["lora_B.weight"]
    fits = min(down.ndim, up.ndim) >= 2 and len(down) == up.shape[1] == rank
    if not fits or parts["alpha"].numel() != 1:
        raise ValueError(
            f"{path}: {name} has A {tuple(down.shape)} and B {tuple(up.shape)}, its metadata say rank "
            f"{rank}: {FILE_REMEDY}"
        )
    return LowRank(down, up, float(parts["alpha"]))


def write_adapter(
    path: Path, info: AdapterInfo, layers: Mapping[str, LowRank], notes: dict[str, str] | None = None
) -> None:
    """One safetensors file, which appears whole or not at all. `layers` by their names in a checkpoint; notes
    such as the licence. Raises WriteError."""
    tensors = {}
    for name, layer in layers.items():
        own = name if name.split(".")[0] == REFERENCE_NET else f"{DENOISER}{name}"
        tensors[f"{own}.lora_A.weight"] = layer.down.detach().cpu().contiguous()
        tensors[f"{own}.lora_B.weight"] = layer.up.detach().cpu().contiguous()
        tensors[f"{own}.alpha"] = torch.tensor(float(layer.alpha))
    # versions before distillation read all others
    said = {name: value for name, value in asdict(info).items() if value is not None}
    write_files(path, tensors, (notes or {}) | {INFO: json.dumps(said)}, None)
