"""Kills at any moment: of the command, which goes on when it is started again, and of its workers."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from ..systems import needs_signals
from .conftest import differing, films, job, journal

pytestmark = [needs_signals, pytest.mark.slow]
psutil = pytest.importorskip("psutil")
FILMS = 10
PATIENCE = 300  # seconds, on a busy machine


def wait_for(ready: Callable[[], bool], run: Popen) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "waited too long"
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.01)


def lines(out: Path) -> int:
    path = out / "report.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def at_work(out: Path) -> bool:
    return any(path.stat().st_size for path in out.glob("*.partial.mp4"))


def workers(run: Popen, mark: str) -> list[int]:
    found = psutil.Process(run.pid).children(recursive=True)
    return [child.pid for child in found if mark in " ".join(child.cmdline())]


def kill_one(run: Popen, mark: str) -> int:
    wait_for(lambda: bool(workers(run, mark)), run)
    victim = workers(run, mark)[0]
    os.kill(victim, signal.SIGKILL)
    return victim


def kill_two(run: Popen, mark: str, out: Path) -> None:
    """One after the other: the job of the first is done before, as the one that loses two workers fails."""
    wait_for(lambda: lines(out) > 0, run)
    first, before = kill_one(run, mark), lines(out)
    wait_for(lambda: lines(out) >= before + 4, run)
    assert kill_one(run, mark) != first


@pytest.fixture
def rows():
    return [job(k, ("anna.png", "ben.png")[k % 2], seed=k, audio="long.wav") for k in range(FILMS)]


@pytest.fixture
def jobs(write_jobs, rows, folder, tones) -> Path:
    import soundfile

    soundfile.write(folder / "long.wav", tones(0.5, 16000).T.numpy(), 16000)
    return write_jobs(rows)


@pytest.fixture
def undisturbed(render, jobs, folder) -> Path:
    assert render(jobs, out="undisturbed")[0] == 0
    return folder / "undisturbed"


@pytest.mark.parametrize("options", [(), ("--workers", 2)], ids=["one process", "two workers"])
def test_the_command_goes_on_after_any_kill(start, jobs, undisturbed, folder, options):
    out = folder / "out"
    moments = {
        "before the folder is there": lambda: True,
        "in the first film": lambda: at_work(out),
        "after a film": lambda: lines(out) >= 2,
        "in a later film": lambda: lines(out) >= 4 and at_work(out),
    }
    for moment, reached in moments.items():
        run = start(jobs, *options)
        wait_for(reached, run)
        run.kill()
        run.communicate()
        assert differing(out, undisturbed) == [], f"after a kill {moment}"
    tried = lines(out)
    assert tried >= 4
    last = start(jobs, *options)
    _, errors = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, errors
    assert (len(films(out)), differing(out, undisturbed)) == (FILMS, [])
    assert len(journal(out)) == FILMS, "no film that was done is rendered again"


def test_workers_end_with_the_command(start, jobs, folder):
    run = start(jobs, "--workers", 2)
    wait_for(lambda: at_work(folder / "out"), run)
    children = workers(run, "spawn_main")
    assert len(children) == 2
    run.kill()
    run.communicate()
    end = time.monotonic() + PATIENCE
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in children):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_workers_that_are_killed_twice_render_the_same_films(start, jobs, undisturbed, folder):
    run, out = start(jobs, "--workers", 2), folder / "out"
    kill_two(run, "spawn_main", out)
    said, errors = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, errors
    assert (len(films(out)), differing(out, undisturbed)) == (FILMS, [])
    assert f"{FILMS} jobs: {FILMS} films rendered" in said


def test_ctrl_c_ends_workers_and_leaves_whole_films_alone(start, jobs, undisturbed, folder):
    run, out = start(jobs, "--workers", 2), folder / "out"
    wait_for(lambda: lines(out) >= 2 and at_work(out), run)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130, errors
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    assert differing(out, undisturbed) == []
    assert 2 <= len(films(out)) < FILMS
    assert not list(out.glob("*.partial*"))
