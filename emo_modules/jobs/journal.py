"""What became of each job, a line for each in a file that survives any kill."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..checked import from_dict
from ..writing.errors import write_errors
from .job import Job

NAME = "report.jsonl"


@dataclass(frozen=True)
class Entry:
    """A line: a job that was tried, or a row that is none."""

    row: int
    output: str  # below the folder of all; empty for a row that is no job
    digest: str = ""
    failure: str = ""  # why there is no film, in a sentence; empty when there is one
    remarks: tuple[str, ...] = ()  # what was warned of
    frames: int = 0
    seconds: float = 0.0  # of film
    took: float = 0.0  # seconds
    size: int = 0  # bytes of the film


class Journal:
    """The lines so far, of earlier runs too; `add` writes one more, which is on the disk when it returns.

    A last line that a kill cut short is taken away. Raises ValueError for a file that is no journal,
    WriteError when it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def __enter__(self) -> Self:
        with write_errors(self.path):
            self._file = self.path.open("a+b")
            self._file.seek(0)
            lines = self._file.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._file.truncate(len(whole))
        self._last: dict[str, Entry] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            entry = self._parsed(number, line)
            self._last[entry.output] = entry
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _parsed(self, number: int, line: bytes) -> Entry:
        try:
            return from_dict(Entry, json.loads(line), "another version wrote it")
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.path}, line {number} is none of a report ({error}): take it away, or choose another "
                "--out"
            ) from error

    def add(self, entry: Entry) -> None:
        with write_errors(self.path):
            self._file.write(json.dumps(asdict(entry)).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self._last[entry.output] = entry

    def has(self, job: Job) -> bool:
        """Whether the job's film is there, as this job would make it."""
        entry = self._last.get(job.name)
        if entry is None or entry.failure or entry.digest != job.digest:
            return False
        return job.output.is_file() and job.output.stat().st_size == entry.size
