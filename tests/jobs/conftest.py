"""Jobs for the tiny model: files, a job file, and the command that renders it."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from PIL import Image

from emo_modules.cli import main
from emo_modules.media.video import read_video

ROOT = Path(__file__).parents[2]
BOX = [20, 16, 50, 52]
SECONDS = (0.12, 0.2, 0.28)
CODEC_ERROR = 15.0  # of 255, on average; films of two seeds are 50 apart


@pytest.fixture
def folder(tmp_path, portrait, tones) -> Path:
    """anna.png and ben.png, 0.wav to 2.wav; damaged.png and empty.wav, which are none."""
    pixels = (portrait.numpy() * 255).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "anna.png")
    Image.fromarray(pixels[:, ::-1].copy()).save(tmp_path / "ben.png")
    for k, seconds in enumerate(SECONDS):
        soundfile.write(tmp_path / f"{k}.wav", tones(seconds, 16000).T.numpy(), 16000)
    (tmp_path / "damaged.png").write_bytes((tmp_path / "anna.png").read_bytes()[:40])
    (tmp_path / "empty.wav").touch()
    return tmp_path


@pytest.fixture
def write_jobs(folder) -> Callable[..., Path]:
    """A job file of these rows, dictionaries as JSON has them, in CSV or JSONL."""

    def write(rows: Sequence[dict[str, Any]], name: str = "jobs.csv") -> Path:
        path = folder / name
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            return path
        with path.open("w", newline="") as file:
            names = list(dict.fromkeys(["portrait", "audio", *(name for row in rows for name in row)]))
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
        return path

    return write


def cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def job(k: int = 0, portrait: str = "anna.png", **options: Any) -> dict[str, Any]:
    return {"portrait": portrait, "audio": f"{k % 3}.wav", "box": BOX, "steps": 1} | options


@pytest.fixture
def arguments(folder, tiny_checkpoint) -> Callable[..., list[str]]:
    def make(jobs: Path, *options: Any, out: str = "out") -> list[str]:
        given = ("render", jobs, "--out", folder / out, "--checkpoint", tiny_checkpoint, *options)
        return [str(part) for part in given]

    return make


@pytest.fixture
def render(arguments, capsys) -> Callable[..., tuple[int, str, str]]:
    """The command in this process: exit status, standard output and standard error."""

    def run(jobs: Path, *options: Any, out: str = "out") -> tuple[int, str, str]:
        status = main(arguments(jobs, *options, out=out))
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def start(arguments) -> Iterator[Callable[..., subprocess.Popen]]:
    """The command in a process of its own, which ends with the test."""
    running: list[subprocess.Popen] = []

    def run(jobs: Path, *options: Any, out: str = "out") -> subprocess.Popen:
        command = [sys.executable, "-m", "emo_modules", *arguments(jobs, *options, out=out)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        heard = {"preexec_fn": hear_interrupts} if os.name == "posix" else {}
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment, **pipes, **heard))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()


def hear_interrupts() -> None:
    """Shells start what runs in the background deaf to Ctrl-C, and so would be what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def journal(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]


def films(out: Path) -> dict[str, Path]:
    """The finished ones, by name."""
    found = {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*.mp4"))}
    return {name: path for name, path in found.items() if ".partial" not in name}


def same_film(one: Path, other: Path) -> bool:
    """The same bytes, or what x264 makes of the same frames: with AVX-512 it does not always decide alike on
    pictures that are noise, as those of random weights are."""
    if one.read_bytes() == other.read_bytes():
        return True
    (frames, *_, sound, rate), (others, *_, sounds, rates) = read_video(one), read_video(other)
    if frames.shape != others.shape or rate != rates or not torch.equal(sound, sounds):
        return False
    return (frames.float() - others.float()).abs().mean().item() < CODEC_ERROR


def differing(found: Path, expected: Path) -> list[str]:
    """Finished films in the one folder that are not the same in the other."""
    theirs = films(expected)
    return [
        name for name, path in films(found).items() if name not in theirs or not same_film(path, theirs[name])
    ]
