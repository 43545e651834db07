"""A model that stays loaded and renders one job after the other."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..faults import NO_MEMORY, input_errors
from ..film import write_video
from ..media.audio import load_audio
from ..media.image import load_image
from ..model_choice import ModelChoice
from ..pipeline import Animation
from ..writing.partial import leftovers
from .job import Job

PACK = __name__.partition(".")[0]


@dataclass(frozen=True)
class Outcome:
    """What became of a job; without a failure there is a film."""

    job: Job
    failure: str = ""
    remarks: tuple[str, ...] = ()  # what was warned of
    frames: int = 0
    seconds: float = 0.0  # of film
    took: float = 0.0  # seconds


class Renderer:
    """Raises as `ModelChoice.load` when it is made."""

    def __init__(self, model: ModelChoice, device: str) -> None:
        self._pipeline = model.load(device)

    def render(self, job: Job) -> Outcome:
        """Errors of the input or the machine are failures; those of this program are raised."""
        start, failure, frames, fps = time.monotonic(), "", 0, 1.0
        with warnings_heard() as remarks:
            try:
                film = self._film(job)
                frames, fps = film.count, film.fps
            except input_errors() as error:
                failure = str(error) or NO_MEMORY
        took = time.monotonic() - start
        return Outcome(job, failure, tuple(remarks), frames, frames / fps, took)

    def _film(self, job: Job) -> Animation:
        remove_leftovers(job)  # of a killed process that had the job before
        film = self._pipeline.animate(load_image(job.portrait), load_audio(job.audio), job.options())
        write_video(film, job.output, job.format)
        return film


def remove_leftovers(job: Job) -> None:
    """Of processes that are dead: the caller knows that nobody else renders the job."""
    for partial in leftovers(job.output):
        partial.unlink(missing_ok=True)


@contextmanager
def warnings_heard() -> Iterator[list[str]]:
    """The pack's warnings as a list, and not on the terminal, where nobody could tell of which film they
    are."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(PACK)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield heard
    finally:
        log.propagate = True
        log.removeHandler(handler)
