"""Trainings in memory, in one sitting or several."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from emo_modules.models.emo import EMO
from emo_training.training.batch_sources import MemorySource
from emo_training.training.loop import Trainer
from emo_training.training.progress import TrainProgress
from emo_training.training.sample_set import SampleSet
from emo_training.training.train_config import TrainConfig


def trainer(model: EMO, samples: SampleSet, config: TrainConfig, folder: Path, **options: Any) -> Trainer:
    config = replace(config, precision="no") if config.precision == "auto" else config
    source = MemorySource(samples, model.config, config.sampling, config.seed)
    return Trainer(model, source, config, folder, log=lambda line: None, **options)


def whole_and_in_parts(
    make: Callable[[], EMO], samples: SampleSet, config: TrainConfig, folder: Path
) -> Iterator[tuple[Trainer, TrainProgress, Path]]:
    """The same training twice: in one sitting, and in three, each of which begins with a model of `make`."""
    for name, stops in (("whole", (None,)), ("parts", (0.0, 0.0, None))):
        for minutes in stops:
            run = trainer(make(), samples, replace(config, minutes=minutes), folder / name)
            progress = run.run()
        yield run, progress, folder / name
