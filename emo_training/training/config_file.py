"""Training configurations as YAML: the fields of `TrainConfig`, nested as they are there."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from emo_modules.checked import from_dict
from emo_modules.config import EMOConfig

from .sample_set import Draw
from .stages import DISTILL
from .train_config import TrainConfig

REMEDY = "configs/ has an example of every stage, TrainConfig in training/train_config.py every field"


def read_values(path: Path) -> dict[str, Any]:
    """Raises ValueError for a file that is no YAML mapping."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}; {REMEDY}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected names and values, found {type(values).__name__}; {REMEDY}")
    if not isinstance(sampling := values.get("sampling", {}), dict):
        raise ValueError(f"{path}: sampling is {sampling!r}, expected are names and values; {REMEDY}")
    return values


def build_config(values: dict[str, Any], model: EMOConfig) -> TrainConfig:
    """What is not given is the paper's, for a model of this clip length and number of motion frames.

    Raises ValueError for names that no field has, and when stage or steps are missing.
    """
    if missing := [name for name in ("stage", "steps") if name not in values]:
        raise ValueError(f"a training needs {' and '.join(missing)}: give --{missing[0]} or a --config")
    sampling = asdict(stage_draw(values["stage"], model)) | values.get("sampling", {})
    return from_dict(TrainConfig, values | {"sampling": sampling}, REMEDY)


def stage_draw(stage: str, model: EMOConfig) -> Draw:
    """EMO sec. 4.1: 48 pictures, then 4 clips of the model's own length and number of motion frames; the
    portrait is a frame of the same sample."""
    if stage == "image":
        return Draw(batch=48, frames=1, motion_frames=0, portrait_share=0.0, successive=False)
    clips = Draw(4, model.clip_frames, model.motion_frames, portrait_share=0.0, successive=True)
    if stage == DISTILL:  # nothing is dropped: the student has no guidance
        return replace(clips, drop_reference=0.0, drop_audio=0.0, drop_both=0.0)
    return clips
