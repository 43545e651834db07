"""How fast this machine was the last times, in a small file."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any, Self

from ..writing.errors import WriteError
from ..writing.partial import write_json
from .work import Work

FILE = "rates.json"
LAST = 3  # runs of one kind, whose median counts: one that was disturbed changes nothing
MOST = 100  # runs of all kinds


@dataclass(frozen=True)
class Rates:
    """Seconds: before the first clip, without the speech encoder; of that for each second of sound; for each
    frame and pass through the Backbone; and for each frame besides, which is reading, decoding, writing."""

    start: float
    hearing: float
    step: float
    frame: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                raise ValueError(f"the rate {name} is seconds from 0 on, got {value!r}")

    def seconds(self, work: Work) -> float:
        """For all of it, when no clip of it is kept."""
        solving = self.step * work.solved_frames * work.passes()
        return self.start + self.hearing * work.sound + solving + self.frame * work.frames

    @classmethod
    def median(cls, runs: list[Self]) -> Self:
        return cls(*(median(getattr(run, field.name) for run in runs) for field in fields(cls)))


class RateBook:
    """Rates by `Work.key`, the newest runs. A damaged file counts as none; one that cannot be written is
    nobody's trouble."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def find(self, work: Work) -> Rates | None:
        """None when nothing of this kind was rendered yet."""
        runs = [rates for key, rates in self._runs() if key == work.key]
        return Rates.median(runs[-LAST:]) if runs else None

    def add(self, work: Work, rates: Rates) -> None:
        runs, same = [], 0
        for key, old in reversed([*self._runs(), (work.key, rates)]):
            same += key == work.key
            if key != work.key or same <= LAST:
                runs.append({"key": key, **asdict(old)})
        try:
            write_json(self.path, runs[:MOST][::-1], indent=1)
        except WriteError:
            return

    def _runs(self) -> list[tuple[str, Rates]]:
        try:
            return [_run(entry) for entry in json.loads(self.path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return []


def _run(entry: dict[str, Any]) -> tuple[str, Rates]:
    return str(entry["key"]), Rates(*(entry[field.name] for field in fields(Rates)))
