"""Rendered pictures and films beside what is true of them, as `emo_people person` writes it: truth.mp4 and
truth.json, whose `frames` have a record each."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emo_people.rendering.truth import Truth

DIGITS = 3


def save_truth(path: Path, truth: Truth) -> None:
    """Beside the picture `path`."""
    record = {name: np.round(value, DIGITS).tolist() for name, value in vars(truth).items()}
    path.with_suffix(".json").write_text(json.dumps({"frames": [record]}) + "\n")


def has_truth(path: Path) -> bool:
    return path.with_suffix(".json").is_file()


def load_truths(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays (F, ...) of the picture or film `path` of F frames."""
    frames = json.loads(path.with_suffix(".json").read_text())["frames"]
    return {name: np.array([frame[name] for frame in frames]) for name in names}
