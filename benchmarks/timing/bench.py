"""Where rows are measured: a device, and the model that the last one used."""

import gc
from typing import Any

import torch

from benchmarks.timing.clock import Clock
from benchmarks.timing.row import Row
from benchmarks.timing.structures import TINY_SIZE, random_model, structure
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.precision import DTYPES
from emo_modules.sampling.solver import Solver, Step


class Bench:
    """Keeps one model at a time, since making one takes seconds."""

    def __init__(self, device: str, tiny: bool) -> None:
        self.device, self.tiny = torch.device(device), tiny
        self.clock = Clock(self.device, once=tiny)
        self._key: tuple[Any, ...] = ()
        self._model: EMO | None = None

    def config(self, row: Row) -> EMOConfig:
        return structure(row.structure, TINY_SIZE if self.tiny else row.size, self.tiny)

    def model(self, row: Row) -> EMO:
        key = (row.structure, row.size, row.dtype)
        if self._model is None or self._key != key:
            self.drop()
            self._model, self._key = random_model(self.config(row), self.device, DTYPES[row.dtype]), key
        return self._model

    def drop(self) -> None:
        """Of a model that was changed, and before another one is made."""
        self._model = None
        gc.collect()
        if self.clock.cuda:
            torch.cuda.empty_cache()

    def solver(self, row: Row, model: EMO, watched: bool = True) -> Solver:
        """As the row says, with a progress callback as the command line has one, if it is `watched`."""
        default = model.config.schedule
        return Solver(
            model,
            row.solver or default.solver,
            row.steps or self.steps(default.steps),
            default.cfg if row.cfg is None else row.cfg,
            see_nothing if watched else None,
            guided_steps=row.guided,
            deep_cache=row.deep_cache,
        )

    def steps(self, count: int) -> int:
        return 2 if self.tiny else count


def see_nothing(step: Step) -> None:
    """Of the estimate that the solver makes for whoever shows progress."""
