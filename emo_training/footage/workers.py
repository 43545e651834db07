"""Tasks spread over processes that may crash one by one, and that end with the process that started them."""

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from emo_modules.processes import Child, start_child

Task = TypeVar("Task")
Result = TypeVar("Result")

# What decoders die of when a file is at fault; Windows knows some of them.
FAULTS = {s for s in signal.Signals if s.name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT")}
ACCESS_VIOLATION = 0xC0000005  # Windows' exit status for SIGSEGV
KILLED = -9  # SIGKILL, which Windows has not
TRIES = 2


@dataclass
class _Worker:
    child: Child
    task: Any = None  # None: idle


def run_tasks(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    crashed: Callable[[Task, str], Result],
) -> Iterator[Result]:
    """Yields work(task) of every task as they finish, each in one of `workers` new processes.

    A task that brings its process down twice by a memory fault gives crashed(task, what happened) instead.
    Raises what `work` raises of OSError, ValueError and MemoryError, MemoryError when a process was killed,
    RuntimeError when it ended otherwise. Processes end with the iterator.
    """
    waiting = deque(tasks)
    crashes: Counter[Task] = Counter()
    staff = [_Worker(start_child(_serve, work)) for _ in range(min(workers, len(tasks)))]
    try:
        while waiting or any(worker.task is not None for worker in staff):
            for worker in staff:
                if worker.task is None and waiting:
                    worker.task = waiting.popleft()
                    worker.child.connection.send(worker.task)
            for place in _ready(staff):
                worker = staff[place]
                answer = _answer(worker)
                if isinstance(answer, signal.Signals):
                    staff[place] = _Worker(start_child(_serve, work))
                    crashes[worker.task] += 1
                    if crashes[worker.task] < TRIES:
                        waiting.appendleft(worker.task)
                    else:
                        yield crashed(worker.task, f"the decoder crashed: {answer.name}")
                else:
                    worker.task = None
                    yield answer
    finally:
        for worker in staff:
            worker.child.end()  # safe at any moment, as everything here is


def _ready(staff: list[_Worker]) -> list[int]:
    busy = {place: worker.child.connection for place, worker in enumerate(staff) if worker.task is not None}
    answered = wait(list(busy.values()))
    return [place for place, connection in busy.items() if connection in answered]


def _answer(worker: _Worker) -> Any:
    """The result, or the signal of a memory fault. Raises as `run_tasks`."""
    try:
        good, value = worker.child.connection.recv()
    except (EOFError, ConnectionResetError):
        good, value = None, None
    if good is None:
        worker.child.process.join()
        return _death(worker.child.process.exitcode or 0)
    if not good:
        raise value
    return value


def _death(status: int) -> signal.Signals:
    if status == ACCESS_VIOLATION:
        return signal.SIGSEGV
    if -status in FAULTS:
        return signal.Signals(-status)
    if status == KILLED:
        raise MemoryError(
            "a worker was killed, most likely because memory ran out: run again with fewer --workers"
        )
    raise RuntimeError(f"a worker ended with status {status}; its own messages above say why")


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            answer = True, work(task)
        except (OSError, ValueError, MemoryError) as error:
            answer = False, error
        connection.send(answer)
