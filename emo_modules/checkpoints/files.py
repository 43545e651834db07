"""Safetensors on disk: atomic writing, files split to a size, and finding their pieces again."""

import glob
import hashlib
import json
import os
import re
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..weights.rename import first
from ..writing.partial import whole_file

PIECE = r"(.+)-(\d{5})-of-(\d{5})"
MAX_PIECES = 1000
KEY_BYTES = 256  # at least what one tensor's entry takes in the header


def write_files(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], max_bytes: int | None
) -> list[Path]:
    """Write `path`, or `<stem>-00001-of-0000N.safetensors` beside it when it would exceed `max_bytes`.

    Files appear whole or not at all; those of an earlier save of `path` in other pieces are removed. Raises
    ValueError when one tensor alone exceeds `max_bytes`, WriteError when the disk is full or the like.
    """
    pieces = [tensors] if max_bytes is None else _split(tensors, metadata, max_bytes)
    paths = [path]
    if len(pieces) > 1:
        metadata = metadata | {"digest": _digest(tensors)}
        paths = [
            path.with_name(f"{path.stem}-{k:05}-of-{len(pieces):05}.safetensors")
            for k in range(1, len(pieces) + 1)
        ]
    with ExitStack() as all_or_none:
        unfinished = [all_or_none.enter_context(whole_file(file)) for file in paths]
        for piece, file in zip(pieces, unfinished, strict=True):
            save_file(piece, file, metadata={"format": "pt"} | metadata)
            os.chmod(file, 0o644)
    for old in {path, *_pieces_beside(path)} - set(paths):
        old.unlink(missing_ok=True)
    return paths


def _split(tensors: dict[str, Tensor], metadata: dict[str, str], max_bytes: int) -> list[dict[str, Tensor]]:
    room = max_bytes - len(json.dumps(metadata)) - KEY_BYTES
    pieces: list[dict[str, Tensor]] = [{}]
    used = 0
    for name, tensor in tensors.items():
        size = tensor.nbytes + KEY_BYTES
        if size > room:
            raise ValueError(f"{name} alone takes {size} bytes, a file may take {room}; raise max_bytes")
        if used + size > room:
            pieces.append({})
            used = 0
        pieces[-1][name] = tensor
        used += size
    return pieces


def _digest(tensors: dict[str, Tensor]) -> str:
    """Pieces of two saves with one configuration must not be mixed: their digests differ."""
    total = hashlib.sha256()
    for name, tensor in tensors.items():
        total.update(name.encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _pieces_beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(glob.escape(path.stem) + "-?????-of-?????.safetensors"))


def find_files(path: Path) -> list[Path]:
    """The files of the checkpoint `path`: itself, the pieces it was split into, or all files of a folder.

    Raises FileNotFoundError when there is none, ValueError when a piece is missing or its name cannot be.
    """
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
    else:
        found = [path] if path.exists() else _pieces_beside(path)[:1]
    if not found:
        raise FileNotFoundError(f"{path}: nothing there; expected a .safetensors file or a folder of them")
    files = sorted({piece for file in found for piece in _whole(file)})
    if missing := [file.name for file in files if not file.exists()]:
        raise ValueError(f"{path}: of {len(files)} files {first(missing)} is missing; get them all")
    return files


def _whole(file: Path) -> list[Path]:
    match = re.fullmatch(PIECE, file.stem)
    if match is None:
        return [file]
    stem, piece, count = match[1], int(match[2]), int(match[3])
    if not 1 <= piece <= count <= MAX_PIECES:
        raise ValueError(
            f"{file}: its name says piece {piece} of {count}, but pieces are numbered from 1 and are at most "
            f"{MAX_PIECES}; give the file its own name back"
        )
    return [file.with_name(f"{stem}-{k:05}-of-{count:05}.safetensors") for k in range(1, count + 1)]
