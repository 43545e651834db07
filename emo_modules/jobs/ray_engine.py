"""Jobs on a Ray cluster: actors that each hold a device and a loaded model."""

import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ..faults import input_errors
from ..model_choice import ModelChoice
from .job import Job
from .renderer import Outcome, Renderer
from .staff import Ended, spread

ROOT = Path(__file__).parents[2]


def render_with_ray(
    jobs: Sequence[Job], model: ModelChoice, workers: int | None = None, on_cpus: bool = False
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every job as they finish, on the cluster that RAY_ADDRESS names or this machine
    belongs to, else on this machine alone. All machines of a cluster see the same files.

    An actor holds a GPU where the cluster has any and `on_cpus` does not forbid it, else a CPU. Raises
    ValueError without Ray, and as `Renderer` and `spread`.
    """
    try:
        import ray
    except ImportError as error:
        raise ValueError("--engine ray needs the package ray: pip install ray") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing here calls a network unasked
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": _environment()},
    )
    try:
        gpus = 0 if on_cpus else int(ray.cluster_resources().get("GPU", 0))
        yield from spread(jobs, Actors(model, workers or gpus or 1, gpus > 0))
    finally:
        ray.shutdown()


def _environment() -> dict[str, str]:
    """What actors import the pack with, and the threads that this process was told to use."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    return threads | {"PYTHONPATH": os.pathsep.join(paths)}


class Actors:
    """A `Staff` of `size` actors."""

    def __init__(self, model: ModelChoice, size: int, on_gpus: bool) -> None:
        import ray

        self.size = size
        self._model, self._device = model, "cuda" if on_gpus else "cpu"
        self._kind = ray.remote(num_cpus=1, num_gpus=int(on_gpus))(RemoteRenderer)
        self._actors: dict[int, Any] = {}  # Ray's handles have no type
        self._waited: dict[Any, int] = {}

    def start(self, place: int) -> None:
        self._actors[place] = self._kind.remote()
        self._waited[self._actors[place].load.remote(self._model, self._device)] = place

    def give(self, place: int, job: Job) -> None:
        self._waited[self._actors[place].render.remote(job)] = place

    def news(self) -> tuple[int, Outcome | Ended | None]:
        import ray

        (first,), _ = ray.wait(list(self._waited))
        place = self._waited.pop(first)
        try:
            answer = ray.get(first)
        except ray.exceptions.RayError as error:
            ray.kill(self._actors.pop(place))
            return place, Ended(str(error).strip().splitlines()[-1])
        if isinstance(answer, Exception):
            raise answer
        return place, answer

    def close(self) -> None:
        import ray

        for actor in self._actors.values():
            ray.kill(actor)


class RemoteRenderer:
    """In an actor. Errors travel as values: Ray would wrap them beyond recognition."""

    def load(self, model: ModelChoice, device: str) -> Exception | None:
        try:
            self._renderer = Renderer(model, device)
        except input_errors() as error:
            return error
        return None

    def render(self, job: Job) -> Outcome:
        return self._renderer.render(job)
