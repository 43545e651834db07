"""Safetensors on disk: atomic writing, files split to a size, and what a file that is not ours may be."""

import glob
import hashlib
import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

PIECE = r"(.+)-\d{5}-of-(\d{5})"
KEY_BYTES = 256  # at least what one tensor's entry takes in the header
BEGINNINGS = (
    (b"PK", "a zip archive, as torch.save writes them"),
    (b"\x80", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<", "a web page"),
)
FAMILIES = (
    ("model.diffusion_model.", "a single-file Stable Diffusion checkpoint"),
    ("motion_modules.", "an AnimateDiff motion module"),
    ("attn2.to_k.", "a diffusers UNet such as Stable Diffusion's"),
    ("feature_extractor.conv_layers.", "a wav2vec2 speech encoder"),
    ("decoder.", "an image autoencoder"),
)


def write_files(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], max_bytes: int | None
) -> list[Path]:
    """Write `path`, or `<stem>-00001-of-0000N.safetensors` beside it when it would exceed `max_bytes`.

    Files appear whole or not at all; those of an earlier save of `path` in other pieces are removed. Raises
    ValueError when one tensor alone exceeds `max_bytes`.
    """
    pieces = [tensors] if max_bytes is None else _split(tensors, metadata, max_bytes)
    paths = [path]
    if len(pieces) > 1:
        metadata = metadata | {"digest": _digest(tensors)}
        paths = [
            path.with_name(f"{path.stem}-{k:05}-of-{len(pieces):05}.safetensors")
            for k in range(1, len(pieces) + 1)
        ]
    unfinished = [p.with_name(p.name + ".tmp") for p in paths]
    try:
        for piece, file in zip(pieces, unfinished, strict=True):
            save_file(piece, file, metadata={"format": "pt"} | metadata)
            os.chmod(file, 0o644)
        for file, final in zip(unfinished, paths, strict=True):
            os.replace(file, final)
    finally:
        for file in unfinished:
            file.unlink(missing_ok=True)
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
        total.update(tensor.flatten().view(torch.uint8).numpy())
    return total.hexdigest()


def _pieces_beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(glob.escape(path.stem) + "-?????-of-?????.safetensors"))


def find_files(path: Path) -> list[Path]:
    """The files of the checkpoint `path`: itself, the pieces it was split into, or all files of a folder.

    Raises FileNotFoundError when there is none, ValueError when a piece is missing.
    """
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
    else:
        found = [path] if path.exists() else _pieces_beside(path)[:1]
    if not found:
        raise FileNotFoundError(f"{path}: nothing there; expected a .safetensors file or a folder of them")
    files = sorted({piece for file in found for piece in _whole(file)})
    if missing := [file.name for file in files if not file.exists()]:
        raise ValueError(f"{path}: of {len(files)} files {', '.join(missing)} is missing; get them all")
    return files


def _whole(file: Path) -> list[Path]:
    match = re.fullmatch(PIECE, file.stem)
    if match is None:
        return [file]
    stem, count = match[1], int(match[2])
    return [file.with_name(f"{stem}-{k:05}-of-{count:05}.safetensors") for k in range(1, count + 1)]


def read_header(file: Path, expected: str) -> tuple[dict[str, str], list[str]]:
    """(metadata, keys). Raises ValueError saying what the file is when it is not safetensors or cut short."""
    try:
        with safe_open(file, framework="pt") as reader:
            return reader.metadata() or {}, list(reader.keys())
    except SafetensorError as error:
        raise ValueError(f"{file}: expected {expected}; found {what_is(file)} ({error})") from error


def read_tensors(files: list[Path]) -> dict[str, Tensor]:
    """All tensors of several files whose headers were read; memory-mapped on the CPU."""
    tensors: dict[str, Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt") as reader:
            tensors |= {key: reader.get_tensor(key) for key in reader.keys()}  # noqa: SIM118
    return tensors


def what_is(file: Path) -> str:
    """What a file is that cannot be read as safetensors, in words."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(32)
        if not start:
            return "an empty file"
        if name := next((name for beginning, name in BEGINNINGS if start.startswith(beginning)), None):
            return name
        if start[8:9] != b"{":
            return f"{size} bytes that are no safetensors file"
        stream.seek(8)
        length = int.from_bytes(start[:8], "little")
        header = stream.read(length)
    if len(header) < length:
        return f"a truncated safetensors file: {size} bytes, its header alone takes {length + 8}"
    ends = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
    return f"a damaged safetensors file: {size} bytes of {8 + length + max(ends, default=0)}"


def family(keys: list[str]) -> str:
    """What kind of weights these keys belong to, in words."""
    for fragment, name in FAMILIES:
        if any(fragment in key for key in keys):
            return name
    return f"tensors such as {', '.join(sorted(keys)[:3])}" if keys else "no tensors"
