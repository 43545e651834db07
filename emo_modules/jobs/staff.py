"""Jobs spread over workers that may die one by one: processes here, or actors of a cluster."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .job import Job
from .renderer import Outcome

TRIES = 2  # a job that brings two workers down is at fault itself
STARTS = 3  # so many workers in a row that died before they were ready: none ever will be


@dataclass(frozen=True)
class Ended:
    """News of a worker that is no more, and how it ended."""

    how: str


class Staff(Protocol):
    """Places 0 to size - 1, in each of which one worker holds a loaded model."""

    @property
    def size(self) -> int: ...

    def start(self, place: int) -> None:
        """A new worker, in a place that is empty; its first news is None, when its model is loaded."""

    def give(self, place: int, job: Job) -> None:
        """To a worker that is ready; its next news is the outcome."""

    def news(self) -> tuple[int, Outcome | Ended | None]:
        """Waits for the next. Raises what a worker raised while it loaded its model."""

    def close(self) -> None:
        """Ends all workers at once, whatever they are doing."""


def spread(jobs: Sequence[Job], staff: Staff) -> Iterator[Outcome]:
    """Yields the outcome of every job as they finish.

    A job whose worker died is given to another one, and fails the second time. Raises ChildProcessError when
    no worker gets as far as a loaded model, and as `Staff.news`. Workers end with the iterator.
    """
    shift = _Shift(staff, deque(jobs))
    try:
        for place in range(min(staff.size, len(jobs))):
            staff.start(place)
        while shift.waiting or shift.busy:
            if (outcome := shift.next_outcome()) is not None:
                yield outcome
    finally:
        staff.close()


@dataclass
class _Shift:
    staff: Staff
    waiting: deque[Job]
    busy: dict[int, Job] = field(default_factory=dict)  # by place
    idle: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)  # of workers, by the job's row
    unborn: int = 0  # workers in a row that died before they were ready

    def next_outcome(self) -> Outcome | None:
        """Deals with the next news."""
        place, news = self.staff.news()
        outcome = self._mourn(place, news) if isinstance(news, Ended) else self._welcome(place, news)
        while self.idle and self.waiting:
            ready = self.idle.pop()
            self.busy[ready] = self.waiting.popleft()
            self.staff.give(ready, self.busy[ready])
        return outcome

    def _welcome(self, place: int, outcome: Outcome | None) -> Outcome | None:
        self.busy.pop(place, None)
        self.idle.add(place)
        self.unborn = 0
        return outcome

    def _mourn(self, place: int, news: Ended) -> Outcome | None:
        job, outcome = self.busy.pop(place, None), None
        if job is not None:
            outcome = self._after_death(job, news)
        elif place not in self.idle:
            self._check_starts(news)
        self.idle.discard(place)
        if self.waiting:
            self.staff.start(place)
        return outcome

    def _check_starts(self, last: Ended) -> None:
        self.unborn += 1
        if self.unborn == STARTS:
            raise ChildProcessError(
                f"{STARTS} workers in a row ended before their model was loaded ({last.how}): fewer "
                "--workers and --low-memory take less memory"
            )

    def _after_death(self, job: Job, news: Ended) -> Outcome | None:
        self.deaths[job.row] += 1
        if self.deaths[job.row] == TRIES:
            return Outcome(job, f"the process ended while rendering, twice ({news.how})")
        self.waiting.appendleft(job)
        return None
