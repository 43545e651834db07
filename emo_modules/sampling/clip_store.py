"""Finished clips on disk: a run goes on where another was stopped, and an edit costs only its own clips."""

import logging
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..writing.digest import digest
from ..writing.errors import WriteError
from ..writing.partial import whole_file

LIMIT = 8 * 2**30  # bytes: an hour of the built-in model, minutes of it at 512 px
FOLDER = "EMO_CLIPS"  # the environment variable that names another folder
NAME = re.compile(r"[0-9a-f]{64}\.safetensors(\..*)?")  # nothing else in the folder is ever removed

_log = logging.getLogger(__name__)


class Clip(NamedTuple):
    """What a clip leaves: its latents (F, C, H, W) as they are given away, and its last ones (M, C, h, w) as
    the solver left them, of which the next clip's motion frames are made."""

    latents: Tensor
    last: Tensor


def default_folder() -> Path:
    """Where the command line keeps clips: EMO_CLIPS, else this system's place for what can be made again."""
    if folder := os.environ.get(FOLDER):
        return Path(folder)
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "emo-portrait" / "clips"


class ClipStore:
    """A folder of clips by name, which several runs may use at once.

    When it grows beyond `limit` bytes, the clips that were not used for longest go. A damaged clip is removed
    and counts as absent. When nothing can be written, the store says so once and takes no more: it never
    ends a rendering.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._full = False

    def get(self, name: str) -> Clip | None:
        path = self._path(name)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                # copies: a mapped file cannot be removed on Windows, and a removed one may be on a full disk
                clip = Clip(file.get_tensor("latents").clone(), file.get_tensor("last").clone())
                if (file.metadata() or {}).get("digest") != digest(*clip):
                    raise ValueError("its content changed")
            os.utime(path)
        except (OSError, SafetensorError, ValueError) as error:
            _log.warning("%s is damaged (%s): the clip is made again", path, error)
            path.unlink(missing_ok=True)
            return None
        return clip

    def put(self, name: str, clip: Clip) -> None:
        if self._full:
            return
        tensors = {key: tensor.cpu().contiguous().clone() for key, tensor in clip._asdict().items()}
        try:
            with whole_file(self._path(name)) as partial:
                save_file(tensors, partial, metadata={"format": "pt", "digest": digest(*tensors.values())})
            self._shrink()
        except WriteError as error:
            self._full = True
            _log.warning("finished clips are not kept any more, the video goes on: %s", error)

    def size(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        states = [size for _, size, _ in self._files()]
        return len(states), sum(states)

    def empty(self) -> tuple[int, int]:
        """Removes all of them; returns what there was, as `size` does."""
        found = self.size()
        for _, _, path in self._files():
            path.unlink(missing_ok=True)
        return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _shrink(self) -> None:
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) - self.limit
        for _, size, path in files[:-1]:  # the last one is the clip that was just made
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each was last used, its bytes and its path; what killed runs left half-written too."""
        found = []
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            if NAME.fullmatch(entry.name):
                try:
                    state = entry.stat()
                except FileNotFoundError:  # another run was faster
                    continue
                found.append((state.st_mtime, state.st_size, Path(entry.path)))
        return found
