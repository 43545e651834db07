"""Jobs on this machine: in this process, or in one for each device."""

import signal
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import torch

from ..faults import input_errors
from ..model_choice import ModelChoice
from ..processes import Child, start_child
from .job import Job
from .renderer import Outcome, Renderer
from .staff import Ended, spread


def local_devices(asked: Sequence[str] | None, workers: int | None) -> list[str]:
    """The device of each worker: those asked for, else all GPUs, else the CPU; more workers share them."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    devices = list(asked or gpus or ["cpu"])
    return [devices[index % len(devices)] for index in range(workers or len(devices))]


def render_locally(
    jobs: Sequence[Job], model: ModelChoice, devices: Sequence[str]
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every job as they finish, each device with a process of its own when there are
    several. Raises ValueError for a device that is not there, and as `Renderer` and `spread`."""
    if len(devices) > 1:
        yield from spread(jobs, Processes(model, devices))
        return
    renderer = Renderer(model, devices[0])
    for job in jobs:
        yield renderer.render(job)


class Processes:
    """A `Staff` of processes, one for each of the devices."""

    def __init__(self, model: ModelChoice, devices: Sequence[str]) -> None:
        self._model, self._devices = model, devices
        # together as many threads as one process would have
        self._threads = max(1, torch.get_num_threads() // len(devices))
        self._children: dict[int, Child] = {}

    @property
    def size(self) -> int:
        return len(self._devices)

    def start(self, place: int) -> None:
        self._children[place] = start_child(_serve, self._model, self._devices[place], self._threads)

    def give(self, place: int, job: Job) -> None:
        with suppress(OSError):  # it has just died, which is its next news
            self._children[place].connection.send(job)

    def news(self) -> tuple[int, Outcome | Ended | None]:
        places = {child.connection: place for place, child in self._children.items()}
        connection = next(found for found in wait(list(places)) if isinstance(found, Connection))
        place = places[connection]
        try:
            answer = connection.recv()
        except (EOFError, OSError):  # also when it died in the middle of its answer
            return place, self._ended(place)
        if isinstance(answer, Exception):
            raise answer
        return place, answer

    def _ended(self, place: int) -> Ended:
        process = self._children.pop(place).process
        process.join()
        status = process.exitcode or 0
        return Ended(signal.Signals(-status).name if status < 0 else f"status {status}")

    def close(self) -> None:
        for child in self._children.values():
            child.end()


def _serve(connection: Connection, model: ModelChoice, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    try:
        renderer = Renderer(model, device)
    except input_errors() as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            job = connection.recv()
        except EOFError:  # the parent is dead
            return
        connection.send(renderer.render(job))
