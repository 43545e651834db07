"""Many films by one process, and by several workers of which some are killed: same files, how much faster?

    python -m benchmarks.many_jobs --work DIR --engine ray --workers 2 --kills 2

Renders good rows and broken ones three times: by one process, by the workers, and by the workers while a
worker is killed now and then. Every process computes with OMP_NUM_THREADS threads, one unless it is set.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

from .measure import ROOT, machine

BROKEN = (
    *(
        {"portrait": "nobody.png"},
        {"audio": "silence.wav"},
        {"steps": "many"},
        {"cfg": "inf"},
        {"box": "1 2 3"},
    ),
    *({"solver": "magic"}, {"output": "a.avi"}, {"output": "../a.mp4"}),
    *({"portrait": "damaged.png"}, {"audio": "empty.wav"}),  # which only show when their turn comes
)
COLUMNS = ("portrait", "audio", "output", "seed", "head_speed", "steps", "cfg", "solver", "box")
WORKERS = {"ray": "ray::RemoteRenderer", "local": "spawn_main"}  # in the command line of a worker


def write_jobs(folder: Path, good: int, broken: int, seconds: float, steps: str) -> Path:
    """Pieces of the sample's speech, several seeds and head speeds; every few rows one that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = (ROOT / "samples" / "portrait.png").read_bytes()
    (folder / "portrait.png").write_bytes(portrait)
    (folder / "damaged.png").write_bytes(portrait[:100])
    (folder / "empty.wav").touch()
    pieces = write_pieces(ROOT / "samples" / "speech.wav", folder, seconds)
    plain = {"portrait": "portrait.png", "steps": steps}
    rows = [
        plain | {"audio": pieces[k % len(pieces)], "seed": str(k), "head_speed": str((4, 12, 25)[k % 3])}
        for k in range(good)
    ]
    wrong = [plain | {"audio": pieces[0]} | BROKEN[k % len(BROKEN)] for k in range(broken)]
    for k, row in enumerate(wrong):
        rows.insert(random.Random(k).randrange(len(rows) + 1), row)
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder / "jobs.csv"


def write_pieces(speech: Path, folder: Path, seconds: float) -> list[str]:
    """The names of files that hold `seconds` each, one after the other."""
    names = []
    with wave.open(str(speech)) as source:
        frames = round(seconds * source.getframerate())
        for k in range(max(1, source.getnframes() // frames)):
            names.append(f"{k}.wav")
            with wave.open(str(folder / names[-1]), "wb") as piece:
                piece.setparams(source.getparams())
                piece.writeframes(source.readframes(frames))
    return names


def render(jobs: Path, out: Path, kills: int, films: int, *options: str) -> tuple[float, int]:
    """Seconds it took, and how many workers were killed, after equal shares of the films."""
    command = [sys.executable, "-m", "emo_modules", "render", str(jobs), "--out", str(out), "--skip-broken"]
    command.append("--no-clips")  # else the later runs would take what the first one rendered
    start, killed = time.monotonic(), 0
    engine = options[options.index("--engine") + 1] if options else "local"
    run = subprocess.Popen([*command, *options], cwd=ROOT, stdout=sys.stderr)
    while run.poll() is None:
        time.sleep(0.2)
        due = (killed + 1) * films / (kills + 1)
        if killed < kills and len(list(out.rglob("[!.]*.mp4"))) >= due and kill_one(run.pid, WORKERS[engine]):
            killed += 1
    return time.monotonic() - start, killed


def kill_one(parent: int, mark: str) -> bool:
    import psutil

    children = psutil.Process(parent).children(recursive=True)
    workers = [child.pid for child in children if mark in " ".join(child.cmdline())]
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    return bool(workers)


def result(out: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "films": sum(not line["failure"] for line in lines),
        "seconds of film": round(sum(line["seconds"] for line in lines), 1),
        "failed": {line["row"]: line["failure"] for line in lines if line["failure"]},
    }


def differing(one: Path, other: Path) -> list[str]:
    """Films that are not the same, byte for byte, or only in one of the folders."""
    names = {path.relative_to(out) for out in (one, other) for path in out.rglob("*.mp4")}
    pairs = {name: (one / name, other / name) for name in names}
    return sorted(
        str(name)
        for name, (a, b) in pairs.items()
        if not (a.exists() and b.exists() and a.read_bytes() == b.read_bytes())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for jobs and films")
    parser.add_argument("--jobs", type=int, default=40, help="rows that can be rendered")
    parser.add_argument("--broken", type=int, default=10, help="rows that cannot")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each film")
    parser.add_argument("--steps", default="", help="denoising steps; default: the checkpoint's")
    parser.add_argument("--engine", choices=sorted(WORKERS), default="ray")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("RAY_worker_niceness", "0")
    work, films = options.work.resolve(), options.jobs
    jobs = write_jobs(work / "jobs", films, options.broken, options.seconds, options.steps)
    many = ("--engine", options.engine, "--workers", str(options.workers))
    one_seconds, _ = render(jobs, work / "one", 0, films)
    many_seconds, _ = render(jobs, work / "many", 0, films, *many)
    killed_seconds, killed = render(jobs, work / "killed", options.kills, films, *many)
    one = result(work / "one")
    report = {
        "machine": machine(),
        "threads of each process": os.environ["OMP_NUM_THREADS"],
        "seconds": {
            "one process": round(one_seconds, 1),
            f"{options.workers} workers of {options.engine}": round(many_seconds, 1),
            f"with {killed} of them killed": round(killed_seconds, 1),
        },
        "throughput ratio": round(one_seconds / many_seconds, 3),
        "differing": {name: differing(work / "one", work / name) for name in ("many", "killed")},
        "one process": one,
        "other failed rows": [
            name for name in ("many", "killed") if set(result(work / name)["failed"]) != set(one["failed"])
        ],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
