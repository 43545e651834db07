"""All jobs of a file, into one folder, going on where an earlier run was stopped."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tqdm import tqdm

from .job import Broken, Job
from .journal import Entry, Journal
from .renderer import Outcome, remove_leftovers
from .report import Report

Engine = Callable[[Sequence[Job]], Generator[Outcome, None, None]]


def render_jobs(jobs: Sequence[Job], broken: Sequence[Broken], out: Path, engine: Engine) -> Report:
    """Renders what is not in the journal of `out` yet, and writes the report there, also when interrupted.

    The caller holds the folder. Raises as the engine and as `Journal`.
    """
    start, entries = time.monotonic(), list[Entry]()
    with Journal(out) as journal:
        todo = [job for job in jobs if not journal.has(job)]
        try:
            for entry in _entries(todo, broken, engine, len(jobs)):
                journal.add(entry)
                entries.append(entry)
        finally:
            elapsed = time.monotonic() - start
            report = Report(len(jobs) + len(broken), len(jobs) - len(todo), entries, elapsed)
            report.write(out)
    return report


def _entries(todo: Sequence[Job], broken: Sequence[Broken], engine: Engine, jobs: int) -> Iterator[Entry]:
    """As they come, under one progress bar."""
    yield from (Entry(row.row, output="", failure=row.reason) for row in broken)
    if not todo:  # and no model to load
        return
    seconds, failed = 0.0, 0
    with (
        tqdm(desc="films", unit="film", total=jobs, initial=jobs - len(todo)) as bar,
        no_leftovers(todo),
        closing(engine(todo)) as outcomes,
    ):
        for outcome in outcomes:
            yield _entry(outcome)
            seconds += outcome.seconds
            failed += bool(outcome.failure)
            bar.set_postfix_str(f"{seconds:.1f} s of film, {failed} failed")
            bar.update()


def _entry(outcome: Outcome) -> Entry:
    job = outcome.job
    return Entry(
        job.row,
        job.name,
        job.digest,
        outcome.failure,
        outcome.remarks,
        outcome.frames,
        round(outcome.seconds, 3),
        round(outcome.took, 3),
        0 if outcome.failure else job.output.stat().st_size,
    )


@contextmanager
def no_leftovers(jobs: Sequence[Job]) -> Iterator[None]:
    """Afterwards, when all workers are dead, nothing is left of films that they had begun."""
    try:
        yield
    finally:
        for job in jobs:
            remove_leftovers(job)
