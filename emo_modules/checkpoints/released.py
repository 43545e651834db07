"""The relatives' weights as they were released: several files, found by name, their parts renamed to ours."""

import re
from functools import partial
from pathlib import Path

from torch import Tensor

from ..families.family import Release
from ..families.table import FAMILIES, RELEASES
from ..weights.reading import describe_keys, read_weights

SUFFIXES = (".safetensors", ".pth", ".bin", ".pt", ".ckpt")
RELEASED = [family.files for family in FAMILIES.values() if family.files]
COMPANIONS = tuple(stem for files in RELEASED for stem in files.beside)
MAINS = tuple(dict.fromkeys(files.main for files in RELEASED if files.beside))  # which find the others
EXPECTED = f"weights of EMO's relatives: {', or '.join(files.expected for files in RELEASED)}"


def is_companion(name: str) -> bool:
    """Whether a file's name is one of a set's other files, which its `denoising_unet` finds by itself."""
    return Path(name).stem.startswith(COMPANIONS)


def is_released(path: Path) -> bool:
    """Whether a path is to be read here, and not as our own checkpoint."""
    if path.is_dir():
        return any(is_released(file) for file in path.iterdir() if file.is_file())
    variants = tuple(f"{main}_" for main in MAINS)
    return path.suffix in SUFFIXES[1:] or path.stem in MAINS or path.stem.startswith(variants)


def read_released(path: Path) -> tuple[Release, dict[str, Tensor]]:
    """Tensors under our names, memory-mapped.

    Raises ValueError naming the file, what was expected, what was found and the remedy, and
    FileNotFoundError when a file of the set is not there.
    """
    main = _main_file(path)
    state = read_weights(main, EXPECTED)
    files = next((files for files in RELEASED if files.owns(state)), None)
    if files is None:
        places = ", ".join(sorted({release.source for release in RELEASES.values()}))
        raise ValueError(
            f"{main}: expected {EXPECTED}; found {describe_keys(list(state))}. They are at {places}"
        )
    name, tensors = files.read(main, state, partial(_beside, main))
    return RELEASES[name], {k: v for k, v in tensors.items() if not re.search(files.unread, k)}


def released_files(path: Path) -> list[Path]:
    """The set's main file, and what may belong to it beside it. Raises as `read_released`."""
    main = _main_file(path)
    beside = sorted(file for file in main.parent.iterdir() if is_companion(file.name))
    return [main, *(file for file in beside if file != main)]


def _main_file(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: nothing there; expected {EXPECTED}")
    if not path.is_dir():
        if is_companion(path.name):
            raise ValueError(f"{path} is one part of a set: name its {MAINS[0]} file, which finds the others")
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    mains = [f for f in files if f.stem.startswith(MAINS)]
    mains = mains or [f for f in files if f.stem in {released.main for released in RELEASED}]
    if len(mains) != 1:
        found = ", ".join(f.name for f in mains or files) or "no weights"
        raise ValueError(f"{path}: expected one set of {EXPECTED}; found {found}: name one file")
    return mains[0]


def _beside(main: Path, stem: str) -> dict[str, Tensor]:
    places = (main.with_name(stem + suffix) for suffix in (main.suffix, *SUFFIXES))
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"{main.with_name(stem + main.suffix)}: nothing there; {main.name} needs {stem}{main.suffix} "
            "beside it, of the same release"
        )
    return read_weights(found, EXPECTED)
