"""Weights from a file of anybody's: safetensors, or a pickle of tensors, of which no code is run."""

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

MAX_HEADER = 16 * 2**20  # bytes. Hallo's 2,656 tensors take 0.4 MB; safetensors itself would read 100 MB
MAX_TIED = 2  # how often a pickle's bytes may be named: weights that are tied are stored once
GET_AGAIN = "Get the file again"
BEGINNINGS = (
    (b"PK", "a zip archive, as torch.save writes them"),
    (b"\x80", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<", "a web page"),
)
KNOWN_KEYS = (
    ("model.diffusion_model.", "a single-file Stable Diffusion checkpoint"),
    ("motion_modules.", "an AnimateDiff motion module"),
    ("attn2.to_k.", "a diffusers UNet such as Stable Diffusion's"),
    ("feature_extractor.conv_layers.", "a wav2vec2 speech encoder"),
    ("decoder.", "an image autoencoder"),
)
# where trainers keep the tensors beside their own notes; the last is Deep3DFaceRecon's
WRAPPERS = ("state_dict", "model_state_dict", "net_recon")
PARALLEL = "module."  # put before every name by torch's DataParallel
# what parsing a header that is no header, or of another shape, ends in
BROKEN_HEADER = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
# what torch's interpreter of pickles ends in when the bytes are damaged, or name something it does not run
BROKEN_PICKLE = (
    pickle.UnpicklingError,
    struct.error,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_header(file: Path, expected: str) -> tuple[dict[str, str], list[str]]:
    """(metadata, keys). Raises ValueError saying what the file is when it is not safetensors or cut short."""
    if not begins_as_safetensors(file):
        raise ValueError(f"{file}: expected {expected}; found {what_is(file)}")
    try:
        with safe_open(file, framework="pt") as reader:
            return reader.metadata() or {}, list(reader.keys())
    except SafetensorError as error:
        raise ValueError(f"{file}: expected {expected}; found {what_is(file)} ({error})") from error


def read_tensors(files: list[Path]) -> dict[str, Tensor]:
    """All tensors of several files whose headers were read; memory-mapped on the CPU.

    Raises ValueError for a type of number that torch does not have.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as reader:
                tensors |= {key: reader.get_tensor(key) for key in reader.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{file}: its tensors cannot be read: {error}. Get the file again") from error
    return tensors


def read_weights(file: Path, expected: str, remedy: str = GET_AGAIN) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a pickle as torch.save wrote it, now or before version 1.6.

    What a trainer kept beside them is left out, and DataParallel's `module.` before every name. Raises
    ValueError naming the file, what was expected, what was found and the remedy.
    """
    if file.suffix == ".safetensors" or begins_as_safetensors(file):
        read_header(file, expected)
        return _without_parallel(read_tensors([file]))
    content = _unpickle(file, expected, remedy)
    found: str | None = type(content).__name__
    state = content
    if isinstance(content, dict):
        state = next((content[name] for name in WRAPPERS if isinstance(content.get(name), dict)), content)
        found = _other_than_tensors(state, file)
    if found:
        raise ValueError(f"{file}: expected {expected}; found {found}. {remedy}")
    return _without_parallel(state)


def _unpickle(file: Path, expected: str, remedy: str) -> Any:
    zipped = _is_zip(file)
    if not zipped and _start(file)[:1] != b"\x80":
        raise ValueError(f"{file}: expected {expected}; found {_what_is_no_zip(file)}. {remedy}")
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except BROKEN_PICKLE as error:
        raise ValueError(
            f"{file}: expected {expected}; found a pickle that is damaged or holds code, which was not run. "
            f"{remedy}"
        ) from error


def _is_zip(file: Path) -> bool:
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # its table says that it goes on in other files
        return False


def _what_is_no_zip(file: Path) -> str:
    """torch.save writes zip archives, whose table stands at their end."""
    size = file.stat().st_size
    return f"a truncated download of {size} bytes" if _start(file)[:2] == b"PK" else what_is(file)


def _other_than_tensors(state: dict[Any, Any], file: Path) -> str | None:
    """What is wrong with a pickle's content, in words."""
    if not state:
        return "no tensors"
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()):
        return "other things than tensors"
    values: list[Tensor] = list(state.values())
    if odd := [v for v in values if v.layout != torch.strided or v.is_quantized or not v.is_cpu]:
        return f"a tensor of the kind {odd[0].layout}, {odd[0].dtype} on {odd[0].device}"
    size, named = file.stat().st_size, sum(value.nbytes for value in values)
    if named > MAX_TIED * size:
        return f"{size} bytes that say they were {named}"
    return None


def _without_parallel(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if not all(key.startswith(PARALLEL) for key in state):
        return state
    return {key.removeprefix(PARALLEL): value for key, value in state.items()}


def begins_as_safetensors(file: Path) -> bool:
    """Its first 8 bytes are a possible length of a header, and one follows."""
    start = _start(file)
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MAX_HEADER


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(32)


def what_is(file: Path) -> str:
    """What a file is that cannot be read as safetensors, in words."""
    size, start = file.stat().st_size, _start(file)
    if begins_as_safetensors(file):
        return _damage(file, size)
    if not start:
        return "an empty file"
    if name := next((name for beginning, name in BEGINNINGS if start.startswith(beginning)), None):
        return name
    if start[8:9] == b"{":
        length = int.from_bytes(start[:8], "little")
        return f"a safetensors file of {size} bytes whose header says it takes {length}, over {MAX_HEADER}"
    return f"{size} bytes that are no safetensors file"


def _damage(file: Path, size: int) -> str:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(length)
    if len(header) < length:
        return f"a truncated safetensors file: {size} bytes, its header alone takes {length + 8}"
    try:
        whole = 8 + length + _data_end(json.loads(header))
    except BROKEN_HEADER:
        return f"a safetensors file of {size} bytes with a damaged header"
    return f"a damaged safetensors file: {size} bytes of {whole}"


def _data_end(entries: dict[str, Any]) -> int:
    ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
    return max(ends, default=0)


def describe_keys(keys: list[str]) -> str:
    """What kind of weights these keys belong to, in words."""
    for fragment, name in KNOWN_KEYS:
        if any(fragment in key for key in keys):
            return name
    return f"tensors such as {', '.join(sorted(keys)[:3])}" if keys else "no tensors"
