"""Losses and gradients that are not finite: their updates are left out and told, and many end the run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATIENCE = 5  # updates in a row that are left out before the run ends
HALVINGS = 16  # and more in fp16: losses are multiplied by 2**16 at first, and by half as much each time


def patience_in(precision: str) -> int:
    return PATIENCE + (HALVINGS if precision == "fp16" else 0)


@dataclass
class Guard:
    """Decides which updates are made."""

    patience: int
    in_a_row: int = 0

    def allows(self, figures: Mapping[str, float]) -> bool:
        """Whether an update with these losses and this gradient norm is made."""
        finite = all(map(math.isfinite, figures.values()))
        self.in_a_row = 0 if finite else self.in_a_row + 1
        return finite

    @property
    def exhausted(self) -> bool:
        return self.in_a_row >= self.patience


def not_finite(figures: Mapping[str, float]) -> str:
    """{"denoise": nan, "grad_norm": 0.5} -> "denoise is nan"."""
    wrong = [f"{name} is {value}" for name, value in figures.items() if not math.isfinite(value)]
    return " and ".join(wrong)


def spoilt_microbatches(finite: Sequence[bool], first: int, processes: int) -> list[int]:
    """The numbers of the microbatches of an update that spoilt it: those whose own loss is not finite, or
    all, where only the gradient is not.

    finite: of each microbatch, all of the first process, then all of the second; `first` is the lowest
    number.
    """
    turns = len(finite) // processes
    numbers = [first + turn * processes + process for process in range(processes) for turn in range(turns)]
    spoilt = [number for number, fine in zip(numbers, finite, strict=True) if not fine]
    return sorted(spoilt or numbers)
