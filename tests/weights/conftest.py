"""The small EMO of the tests of its weights on disk."""

from ..checkpoints.conftest import seeded, small_config

__all__ = ["seeded", "small_config"]
