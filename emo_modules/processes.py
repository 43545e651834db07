"""Processes beside this one, told over a pipe what to do, that end with it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


@dataclass(frozen=True)
class Child:
    """A process and this end of its pipe, at which its death shows as the end of the connection."""

    process: BaseProcess
    connection: Connection

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def start_child(serve: Callable[..., None], *arguments: Any) -> Child:
    """Runs serve(connection, *arguments) in a new process; it can be pickled, as its arguments can."""
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(serve, theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return Child(process, ours)


def _run(serve: Callable[..., None], connection: Connection, *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(connection, *arguments)


def _end_with_parent() -> None:
    """A killed parent's task must not go on writing beside the next run's."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only children come here"
    parent.join()
    os._exit(1)
