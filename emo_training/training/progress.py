"""How far a training is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrainProgress:
    """How far a run is; saved and loaded with the optimizer."""

    per_update: int  # clips, of all processes together
    step: int = 0
    clips: int = 0  # seen by all processes: what comes next follows from it, whatever their number
    skipped: int = 0  # steps whose update was left out
    seconds: float = 0.0  # of wall clock, over all sittings
    running: dict[str, float] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "clips": self.clips,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "running": self.running,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Also of runs that did not count clips: they drew as many for each step as this one does."""
        self.step, self.running = state["step"], state["running"]
        self.seconds = state.get("seconds", 0.0)
        self.clips = state.get("clips", self.step * self.per_update)
        self.skipped = state.get("skipped", 0)

    def advance(self, figures: Mapping[str, float] | None) -> None:
        """One step further, with its losses, or without an update."""
        self.step += 1
        self.clips += self.per_update
        if figures is None:
            self.skipped += 1
            return
        for name, value in figures.items():
            self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
