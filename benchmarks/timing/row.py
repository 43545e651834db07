"""The rows that `benchmarks.gpu` measures, the ones worth most first. This module imports nothing heavy."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement. None is the structure's own; `limit` are the seconds after which it is given up."""

    measure: str  # one of those in `benchmarks.timing.worker`
    structure: str = "emo"
    size: int = 512
    dtype: str = "bf16"
    solver: str | None = None
    steps: int | None = None
    cfg: float | None = None
    guided: tuple[float, float] = (0.0, 1.0)
    deep_cache: int = 1
    limit: int = 40
    needs_cuda: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from other rows: the first four, and what is not as it is by default."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = ("measure", "structure", "size", "dtype")
        kept = {field.name for field in fields(self) if values[field.name] != field.default} | {*shown}
        return {name: value for name, value in values.items() if name in kept - {"limit", "needs_cuda"}}

    @property
    def name(self) -> str:
        """`step emo 512 bf16`, `clip emo 512 bf16 solver=dpm++2m steps=15`."""
        first, others = list(self.settings.items())[:4], list(self.settings.items())[4:]
        return " ".join([*(f"{value}" for _, value in first), *(f"{key}={value}" for key, value in others)])


RELATIVES = ("hallo", "echomimic", "v_express")
ROWS = (
    Row("step", limit=60),
    Row("clip"),
    *(Row(measure, name) for name in RELATIVES for measure in ("step", "clip")),
    Row("film", "built-in", 256, limit=60),
    Row("step", size=256),
    Row("halves", size=256),
    Row("halves"),
    Row("clip", solver="dpm++2m", steps=15),
    Row("clip", guided=(0.0, 0.5)),
    Row("clip", deep_cache=3),
    Row("clip", steps=4, cfg=1.0),
    Row("beside", steps=4, cfg=1.0),
    Row("decoding"),
    Row("synchronisations", needs_cuda=True),
    Row("synchronisations", "echomimic", needs_cuda=True),
    Row("separate"),
    Row("channels-last"),
    Row("step", dtype="fp16"),
    Row("compiled", limit=150),
    Row("film", "built-in", 512, limit=60),
    Row("step", dtype="fp32", limit=60),
    *(Row("step", name, dtype="fp32", limit=60) for name in RELATIVES),
    Row("compiled", "hallo", limit=150),
    *(Row("step", name, dtype="fp16") for name in RELATIVES),
    Row("channels-last", "hallo"),
    Row("compiled", size=256, limit=150),
    *(Row("compiled", name, limit=150) for name in ("echomimic", "v_express")),
    Row("decoding", dtype="fp32"),
    Row("film", "built-in", 256, "fp32", limit=60),
)
