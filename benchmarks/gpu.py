"""Speed and memory on a GPU, a row at a time, with random weights: what docs/performance.md has of GPUs.

    python -m benchmarks.gpu --out rows.jsonl --seconds 500

appends one JSON line for each row, those worth most first. A run that was ended goes on where it was: rows
that are in the file are not measured again, rows that failed come last. No weights are needed but the
built-in model's, and neither PyAV nor soxr.

    python -m benchmarks.gpu --out rows.jsonl --device cpu --tiny

goes the same ways at a few channels, to see that they can be gone.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing.row import ROWS, Row
from benchmarks.timing.worker import serve
from emo_modules.processes import Child, start_child

START = 90  # seconds until the worker has imported torch and woken the GPU
PATIENCE = 20  # times a row's limit without a GPU: a few channels take no time, importing libraries does


@dataclass(frozen=True)
class Answer:
    """What a worker sent in time. None: nothing, because it `died`, or else because it was too slow."""

    found: dict[str, Any] | None
    died: bool = False


def answer(worker: Child, seconds: float) -> Answer:
    try:
        return Answer(worker.connection.recv() if worker.connection.poll(max(seconds, 0)) else None)
    except EOFError:
        return Answer(None, died=True)


def measure(rows: list[Row], device: str, tiny: bool, seconds: float) -> Iterator[dict[str, Any]]:
    """Rows with their figures or errors, as many as there is time for. A worker that takes longer than a
    row's limit, or dies, is replaced for the rows after it."""
    end, patience = time.monotonic() + seconds, PATIENCE if tiny else 1
    while rows:
        worker = start_child(serve, rows, device, tiny)
        try:
            machine = answer(worker, min(START * patience, end - time.monotonic())).found
            if machine is None:
                if time.monotonic() >= end:
                    return
                raise RuntimeError(f"no process could be started on {device!r} within {START * patience} s")
            while rows and time.monotonic() < end:
                start, row = time.monotonic(), rows[0]
                given = answer(worker, min(row.limit * patience, end - start))
                if given == Answer(None) and time.monotonic() >= end:  # not the row's fault
                    return
                rows = rows[1:]
                spent = {"spent": round(time.monotonic() - start, 1)}
                figures = given.found or {"error": fault(row, given)}
                yield {"row": row.name} | row.settings | machine | spent | figures
                if given.found is None:
                    break
            else:
                return
        finally:
            worker.end()


def fault(row: Row, given: Answer) -> str:
    return "the process died" if given.died else f"took longer than {row.limit} s"


def open_rows(done: list[dict[str, Any]], device: str, only: list[str]) -> list[Row]:
    """Those without figures, failed ones last."""
    failed = {line["row"] for line in done if "error" in line}
    figures = {line["row"] for line in done if "error" not in line}
    asked = [
        row
        for row in ROWS
        if row.name not in figures
        and (device.startswith("cuda") or not row.needs_cuda)
        and (not only or any(part in row.name for part in only))
    ]
    return sorted(asked, key=lambda row: row.name in failed)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows in the file; a last line that a kill cut short is none."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the file of rows, one JSON line each")
    parser.add_argument("--seconds", type=float, default=500, help="for all rows of this run")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a few channels: does everything run?")
    parser.add_argument("--only", nargs="+", default=[], help="rows whose name has one of these in it")
    options = parser.parse_args()
    same = {"device": options.device, "tiny": options.tiny}
    done = [line for line in read_lines(options.out) if same.items() <= line.items()]
    rows = open_rows(done, options.device, options.only)
    with options.out.open("a", encoding="utf-8") as file:
        for found in measure(rows, options.device, options.tiny, options.seconds):
            line = json.dumps(found | same)
            file.write(f"\n{line}")  # in front, in case that a kill cut the line before short
            file.flush()
            print(line, flush=True)


if __name__ == "__main__":
    main()
