"""One short name for everything that a result follows from."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PLAIN = (str, bytes, bool, int, float, complex, type(None), Path, torch.dtype, torch.device)


def digest(*values: Any, unknown: Callable[[Any], str] | None = None) -> str:
    """64 hexadecimal digits that differ when the values do: numbers, texts, tensors on any device, and what
    is made of them by tuples, lists, sets, mappings and dataclasses.

    `unknown` names what is none of these. Raises TypeError for it where there is no `unknown`.
    """
    total = hashlib.sha256()
    for value in values:
        _add(total, value, unknown)
    return total.hexdigest()


def _add(total: "hashlib._Hash", value: Any, unknown: Callable[[Any], str] | None) -> None:
    """Each value with its kind and length before it, so that no two of them begin or end alike."""
    if isinstance(value, PLAIN):
        text = repr(value).encode()
        total.update(b"%s %d " % (type(value).__name__.encode(), len(text)) + text)
    elif isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        total.update(f"tensor {plain.dtype} {tuple(plain.shape)} ".encode())
        total.update(plain.flatten().view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        _add(total, sorted(value.items(), key=lambda entry: str(entry[0])), unknown)
    elif isinstance(value, set | frozenset):
        _add(total, sorted(value, key=str), unknown)
    elif isinstance(value, list | tuple):
        total.update(b"list %d " % len(value))
        for part in value:
            _add(total, part, unknown)
    elif is_dataclass(value) and not isinstance(value, type):
        total.update(type(value).__qualname__.encode())
        _add(total, [getattr(value, field.name) for field in fields(value)], unknown)
    elif unknown is not None:
        _add(total, unknown(value), None)
    else:
        raise TypeError(f"a {type(value).__qualname__} has no digest")


def file_digest(*files: Path) -> str:
    """Of files, and of all in folders, as `make` knows them: name, size and time of change. Reading gigabytes
    would take longer than what the name saves. Raises FileNotFoundError."""
    found = [one for file in files for one in (file, *sorted(file.rglob("*")))]
    states = [(file.resolve(), file.stat()) for file in found]
    return digest([(str(path), state.st_size, state.st_mtime_ns) for path, state in states])


def content_digest(*files: Path) -> str:
    """Of what is in files, and in all of folders, wherever they lie and however old they are: reads all of
    it. Raises FileNotFoundError."""
    found = [one for file in files for one in (sorted(file.rglob("*")) if file.is_dir() else [file])]
    return digest([(one.name, fingerprint(one)) for one in found if not one.is_dir()])


def fingerprint(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=8)
def code_digest(*packages: Path) -> str:
    """Of the Python files of these folders as they were when first asked for: an update of the code makes
    other results."""
    sources = sorted(file for package in packages for file in package.rglob("*.py"))
    return digest([(file.name, file.read_bytes()) for file in sources], torch.__version__)
