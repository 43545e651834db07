"""How far a training is."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class TrainProgress:
    """How far a run is; saved and loaded with the optimizer."""

    step: int = 0
    seconds: float = 0.0  # of wall clock, over all sittings
    running: dict[str, float] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "seconds": self.seconds, "running": self.running}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.running = state["step"], state["running"]
        self.seconds = state.get("seconds", 0.0)

    def update(self, rows: list[dict[str, Tensor]]) -> None:
        """Takes in the losses of some steps, which then have to be there: a GPU is waited for."""
        for row in rows:
            for name, value in zip(row, torch.stack(list(row.values())).tolist(), strict=True):
                self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
        rows.clear()
