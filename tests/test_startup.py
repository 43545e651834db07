"""Start-up stays short: the model can be imported without the slow libraries."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLOW = {"diffusers", "transformers", "librosa", "accelerate", "skimage"}


def loaded_by(statement: str, candidates: set[str]) -> set[str]:
    """The candidates that a fresh interpreter has loaded after running `statement` in the project's root."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return candidates & set(done.stdout.split())


def test_the_model_imports_no_slow_library() -> None:
    assert loaded_by("import emo_modules.config, emo_modules.models.emo", SLOW | {"torch"}) == {"torch"}


def test_loaded_modules_are_seen() -> None:
    assert loaded_by("import wave", {"wave", "sndhdr"}) == {"wave"}
