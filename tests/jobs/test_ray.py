"""Two actors of a local Ray: the films of one process, also when actors are killed."""

import sys

import pytest

from ..systems import needs_signals
from .conftest import differing, films, job, journal
from .test_kills import PATIENCE, kill_two, lines, wait_for, workers

pytest.importorskip("ray", reason="ray is not installed: pip install ray")
psutil = pytest.importorskip("psutil")
RAY = ("--engine", "ray", "--workers", 2)
MARK = "ray::RemoteRenderer"


@pytest.fixture(autouse=True)
def own_cluster(monkeypatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else other tests beside this one take all of its time


@pytest.mark.slow
@needs_signals
def test_two_actors_that_are_killed_twice_render_the_films_of_one_process(start, render, write_jobs, folder):
    rows = [job(k, ("anna.png", "ben.png")[k % 2], seed=k) for k in range(10)]
    jobs, out, alone = write_jobs([*rows, job(0, "damaged.png")]), folder / "out", folder / "alone"
    assert render(jobs, out="alone")[0] == 1
    run = start(jobs, *RAY)
    kill_two(run, MARK, out)
    said, errors = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, errors
    assert "11 jobs: 10 films rendered, 0 there before, 1 failed, 0 left" in said
    assert (len(films(out)), differing(out, alone)) == (10, [])
    (failure,), (same,) = ([e["failure"] for e in journal(place) if e["failure"]] for place in (out, alone))
    assert failure == same
    assert "damaged.png" in failure


@pytest.mark.slow
@needs_signals
def test_actors_end_with_the_command(start, write_jobs, folder):
    run = start(write_jobs([job(k, seed=k) for k in range(30)]), *RAY)
    wait_for(lambda: lines(folder / "out") >= 1, run)
    actors = [psutil.Process(pid) for pid in workers(run, MARK)]
    assert len(actors) == 2
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(actors, timeout=PATIENCE)
    assert [actor for actor in alive if actor.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_run_with_its_sentence(render, write_jobs, folder):
    (folder / "broken.safetensors").write_bytes(b"no weights")
    broken = ("--checkpoint", folder / "broken.safetensors")
    status, _, errors = render(write_jobs([job(0), job(1)]), *RAY, *broken)
    assert status == 1
    assert "error: " in errors and "broken.safetensors" in errors
    assert films(folder / "out") == {}


def test_without_ray_it_says_what_to_install(render, write_jobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, errors = render(write_jobs([job()]), *RAY)
    assert status == 1
    assert "error: --engine ray needs the package ray: pip install ray" in errors
