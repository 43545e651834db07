"""What a run has done, for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..writing.partial import write_text
from .journal import Entry

NAME = "report.md"


@dataclass(frozen=True)
class Report:
    """A run of `jobs` rows: what it added to the journal, and how many films were there before it."""

    jobs: int
    before: int
    entries: Sequence[Entry]
    elapsed: float  # seconds

    @property
    def done(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.failure]

    @property
    def failed(self) -> list[Entry]:
        return sorted((entry for entry in self.entries if entry.failure), key=lambda entry: entry.row)

    @property
    def left(self) -> int:
        """Jobs that were not tried."""
        return self.jobs - self.before - len(self.entries)

    @property
    def films_per_hour(self) -> float:
        return 3600 * len(self.done) / self.elapsed

    @property
    def speed(self) -> float:
        """Seconds of film in a second."""
        return sum(entry.seconds for entry in self.done) / self.elapsed

    def __str__(self) -> str:
        counts = [
            f"{len(self.done)} films rendered", f"{self.before} there before", f"{len(self.failed)} failed",
            f"{self.left} left",
        ]  # fmt: skip
        rates = f"; {self.films_per_hour:.1f} films an hour, {self.speed:.3g} s of film in a second"
        return f"{self.jobs} jobs: {', '.join(counts)}{rates if self.done else ''}"

    def write(self, folder: Path) -> Path:
        path = folder / NAME
        remarked = [(entry, remark) for entry in self.done for remark in entry.remarks]
        parts = [
            f"# {self}",
            _table("failed", ((entry, entry.failure) for entry in self.failed)),
            _table("remarks", sorted(remarked, key=lambda pair: pair[0].row)),
        ]
        write_text(path, "\n".join(part for part in parts if part) + "\n")
        return path


def _table(title: str, said: Iterable[tuple[Entry, str]]) -> str:
    lines = [f"| {entry.row} | {_cell(entry.output)} | {_cell(text)} |" for entry, text in said]
    return "\n".join(["", f"| row | output | {title} |", "|---|---|---|", *lines]) if lines else ""


def _cell(text: str) -> str:
    printable = text.encode(errors="backslashreplace").decode()
    return " ".join(printable.replace("|", "\\|").split())
