"""What a training starts from: the paper's preset, public initialisations, or a checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from emo_modules.checkpoints.released import read_released
from emo_modules.checkpoints.store import Loaded, load_checkpoint
from emo_modules.config import EMOConfig
from emo_modules.families.family import SD15_TERMS
from emo_modules.models.emo import EMO
from emo_modules.weights.animatediff import EXPECTED as ANIMATEDIFF
from emo_modules.weights.animatediff import initialise_from_animatediff
from emo_modules.weights.reading import read_weights

from ..perception.rates import FPS
from .relatives import relative_of
from .sd15 import EXPECTED as SD15
from .sd15 import initialise_from_sd15
from .speed_buckets import fit_speed_buckets
from .transplant import initialise_from_relative, starting_config

ACCELERATED = "-acc"  # ends the names of relatives that were distilled from those without it


@dataclass(frozen=True)
class Start:
    """Each later one overwrites what it has of the earlier ones."""

    checkpoint: Annotated[Path | None, "start from here; else from the paper's preset"] = None
    sd15: Annotated[Path | None, "Stable Diffusion 1.5's unet in diffusers naming"] = None
    animatediff: Annotated[Path | None, "AnimateDiff v2's motion module"] = None
    relative: Annotated[Path | None, "released weights of Hallo, EchoMimic or V-Express"] = None
    size: Annotated[tuple[int, int] | None, "another picture size", ("WIDTH", "HEIGHT")] = None


def rebuild(model: EMO, config: EMOConfig) -> EMO:
    """The same weights, not a copy, under another configuration."""
    with torch.device("meta"):
        other = EMO(config)
    other.load_state_dict(model.state_dict(), assign=True)
    return other


def distilled(config: EMOConfig) -> bool:
    """Whether guidance is folded into the weights; those that move portraits never had any."""
    return config.schedule.cfg == 1 and not config.moving


def check_teacher(config: EMOConfig) -> None:
    """Raises ValueError for models that have nothing to distil."""
    if config.moving:
        raise ValueError(
            f"{config.name} runs in {config.schedule.steps} step without guidance: its motion code decides "
            "what noise would, so that there is nothing to distil"
        )
    if distilled(config):
        raise ValueError(
            f"{config.name} was distilled to {config.schedule.steps} steps already: name the weights that it "
            "was made of as --teacher"
        )


def check_trainable(config: EMOConfig, start: Start) -> None:
    """Raises ValueError as `check_distilled`, for models that move portraits, since batches do not have all
    that they read, and for a start with weights that go into EMO's own structure only."""
    check_distilled(config)
    if config.moving:
        raise ValueError(
            f"{config.name} moves portraits and learns from clips that say what moves where: train it with "
            "python -m emo_people train-built-in, or teach it one person with python -m emo_training adapt"
        )
    others = [f"--{name}" for name in ("sd15", "animatediff", "relative") if getattr(start, name)]
    if others and relative_of(config):
        raise ValueError(
            f"{' and '.join(others)} initialise EMO's own structure, and --checkpoint is {config.name}, "
            "which has its weights: leave one of them out"
        )


def check_distilled(config: EMOConfig) -> None:
    """Raises ValueError for models whose weights the denoising loss would spoil."""
    if distilled(config):
        whole = config.name.removesuffix(ACCELERATED)
        found = "what it was distilled from" if whole == config.name else whole
        raise ValueError(
            f"{config.name} was distilled to {config.schedule.steps} steps, which training would undo: train "
            f"{found}"
        )


def starting_model(
    start: Start, seed: int, speeds: np.ndarray | None
) -> tuple[EMO, Loaded | None, dict[str, str]]:
    """The model, the checkpoint it comes from, if any, and what the licences of the weights that it starts
    from want to be said of the trained ones. The same seed gives the same fresh layers.

    speeds: the footage's histogram, to which the speed buckets are fitted; None keeps them.
    """
    loaded = load_checkpoint(start.checkpoint) if start.checkpoint else None
    config = loaded.config if loaded else EMOConfig.sd15()
    notes = dict(loaded.notes) if loaded else {}
    if relative_of(config):
        config = replace(config, fps=float(FPS))  # the shards', at which it will run from now on
        notes["title"] = f"Trained from {notes.get('title', config.name).removeprefix('Trained from ')}"
    release, tensors = read_released(start.relative) if start.relative else (None, {})
    if release:
        config = starting_config(config, release)
    if start.size:
        config = replace(config, width=start.size[0], height=start.size[1])
    if speeds is not None:
        config = replace(config, speed=fit_speed_buckets(speeds, config.speed))
    if loaded is not None and loaded.model is not None:
        model = rebuild(loaded.model, config)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = EMO(config)
    if start.sd15:
        initialise_from_sd15(model, read_weights(start.sd15, SD15), str(start.sd15))
        notes["terms"] = SD15_TERMS
    if start.animatediff:
        initialise_from_animatediff(
            model, read_weights(start.animatediff, ANIMATEDIFF), str(start.animatediff)
        )
    if release:
        initialise_from_relative(model, release, tensors, str(start.relative))
        notes |= release.notes | {"title": f"Trained from {release.title}"}
    return model, loaded, notes
