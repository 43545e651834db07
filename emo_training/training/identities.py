"""Face embeddings of the people in shards, from a folder of the user's."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.cues.face_embedding import face_embedding

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identities:
    """`IDENTITY.npy` for each identity of the shards, as `animate --identity` takes them.

    Raises ValueError when weights read no face embedding, or a file holds something else than one.
    """

    folder: Path
    config: EMOConfig

    def __post_init__(self) -> None:
        if self.config.quirks.identity is None:
            raise ValueError(
                f"{self.config.name} reads no face embedding: leave --identities out, which is for Hallo, "
                "Hallo2 and JoyHallo"
            )
        if not self.known:
            raise ValueError(f"{self.folder} has no face embedding: expected is IDENTITY.npy of each person")

    @cached_property
    def known(self) -> dict[str, Tensor]:
        """(D,) by identity."""
        found = {}
        for file in sorted(self.folder.rglob("*.npy")):
            name = file.relative_to(self.folder).with_suffix("").as_posix()
            values = face_embedding(np.load(file), torch.empty(0), self.config, _log)
            if values is not None:
                found[name] = values[0]
        return found
