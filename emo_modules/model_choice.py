"""Which weights render, and how they compute."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import torch

from .checkpoints.adapter import AdapterUse, read_adapter
from .checkpoints.store import DEMO_CHECKPOINT, checkpoint_files, read_checkpoint
from .config import EMOConfig
from .cost.memory import Weights
from .pipeline import Pipeline
from .precision import DTYPES, default_precision, warn_of_emulation
from .sampling.clip_store import ClipStore, default_folder
from .writing.digest import digest, file_digest

BESIDE = ("vae", "audio_encoder", "tiny_decoder")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelChoice:
    """What is loaded once, for one film or many. Fields are options of `animate` and `render`."""

    checkpoint: Annotated[Path, "default: the built-in demo model"] = DEMO_CHECKPOINT
    vae: Annotated[Path | None, "for checkpoints without one"] = None
    audio_encoder: Annotated[Path | None, "for checkpoints without one"] = None
    tiny_decoder: Annotated[
        Path | None, "a file of TAESD's decoder, for Stable Diffusion's latents: decodes faster and softer"
    ] = None
    lora: Annotated[
        tuple[str, ...],
        "FILE or FILE:STRENGTH, what `train --lora`, `adapt` or `distill` made; strength 1 is as trained; "
        "may be given several times",
    ] = ()
    compile: Annotated[bool, "compile the Backbone: slow start, faster steps"] = False
    low_memory: Annotated[bool, "hold ReferenceNet only while it reads; same pictures"] = False
    dtype: Annotated[
        Literal["bf16", "fp16", "fp32"] | None,
        "default: bf16 on a GPU, fp16 on one too old for it, fp32 on a CPU",
    ] = None
    clips: Annotated[
        Path | None,
        "folder of finished clips, from which a run that was stopped goes on; default: EMO_CLIPS, or the "
        "system's place for what can be made again",
    ] = None
    no_clips: Annotated[bool, "keep no finished clips, and take none that are there"] = False

    def precision(self, device: str) -> str:
        """The name of the type that it computes in."""
        return self.dtype or default_precision(device)

    @property
    def how(self) -> str:
        """What decides the speed beside weights, device and type."""
        return " ".join(name for name in ("compile", "low_memory", "tiny_decoder") if getattr(self, name))

    @property
    def beside(self) -> list[Path]:
        """Files beside the checkpoint."""
        return [path for name in BESIDE if (path := getattr(self, name))]

    @property
    def adapters(self) -> tuple[AdapterUse, ...]:
        return tuple(map(AdapterUse.parse, self.lora))

    def read(self) -> tuple[EMOConfig, Weights]:
        """What the files hold, without loading it. Raises as `read_checkpoint`."""
        found = read_checkpoint(self.checkpoint, self.adapters)
        return found.config, Weights.of(found.tensors, *self.beside)

    def absolute(self) -> Self:
        """The same files, for a process that is somewhere else."""
        paths = {name: getattr(self, name) for name in ("checkpoint", *BESIDE)}
        moved = replace(self, **{name: path.absolute() for name, path in paths.items() if path})
        uses = [replace(use, path=use.path.absolute()) for use in self.adapters]
        return replace(moved, lora=tuple(map(str, uses)))

    def load(self, device: str) -> Pipeline:
        """Raises ValueError for a device that is not there, and as `Pipeline.load`."""
        check_device(device)
        precision = self.precision(device)
        warn_of_emulation(precision, device)
        pipeline = Pipeline.load(
            self.checkpoint,
            device,
            DTYPES[precision],
            self.vae,
            self.audio_encoder,
            self.low_memory,
            None if self.no_clips else ClipStore(self.clips or default_folder()),
            self.adapters,
            self.tiny_decoder,
        )
        for use in self.adapters:
            if use.strength and (few := read_adapter(use.path).info.few_steps):
                _log.info("%s was made for %s: these are taken unless others are given", use.path.name, few)
        return pipeline.compiled() if self.compile else pipeline

    def files_digest(self) -> str:
        """Tells these weights from others."""
        files = file_digest(*checkpoint_files(self.checkpoint), *self.beside)
        return digest(files, [use.digest() for use in self.adapters]) if self.adapters else files


def check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here: {reason}; try --device cpu") from error
