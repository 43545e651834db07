"""Jobs spread over workers that die: nothing is lost or done twice, and nobody waits for the dead."""

from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path

import pytest

from emo_modules.film import FaceOptions
from emo_modules.jobs.job import Job
from emo_modules.jobs.local_engine import Processes, local_devices, render_locally
from emo_modules.jobs.renderer import Outcome
from emo_modules.jobs.staff import Ended, spread
from emo_modules.model_choice import ModelChoice


def jobs(count: int) -> list[Job]:
    nowhere = Path("/nowhere")
    return [Job(row, nowhere, nowhere, nowhere, f"{row}.mp4", FaceOptions(), {}) for row in range(count)]


class Script:
    """A staff whose workers die as written: `dies` holds (place, how many news of that place came before)."""

    def __init__(self, size: int, dies: Iterable[tuple[int, int]] = (), ill: Iterable[int] = ()) -> None:
        self.size, self.dies, self.ill = size, set(dies), set(ill)
        self.due: deque[tuple[int, Job | None]] = deque()
        self.alive: set[int] = set()
        self.told: Counter[int] = Counter()
        self.given: list[int] = []
        self.closed = False

    def start(self, place: int) -> None:
        assert place not in self.alive, "a place has one worker"
        self.alive.add(place)
        self.due.append((place, None))

    def give(self, place: int, job: Job) -> None:
        assert place in self.alive and place not in dict(self.due), "only who is ready gets a job"
        self.given.append(job.row)
        self.due.append((place, job))

    def news(self) -> tuple[int, Outcome | Ended | None]:
        place, job = self.due.popleft()
        self.told[place] += 1
        if (place, self.told[place] - 1) in self.dies or job is not None and job.row in self.ill:
            self.alive.remove(place)
            return place, Ended("SIGKILL")
        return place, None if job is None else Outcome(job, seconds=1.0)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_every_job_is_done_once(size):
    staff = Script(size)
    assert sorted(outcome.job.row for outcome in spread(jobs(7), staff)) == list(range(7))
    assert sorted(staff.given) == list(range(7))
    assert len(staff.alive) == min(size, 7)
    assert staff.closed


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("moment", range(5))
def test_a_worker_may_die_at_any_moment(place, moment):
    """Before it is ready, with each of its jobs, and with the last."""
    staff = Script(2, {(place, moment)})
    outcomes = list(spread(jobs(6), staff))
    assert sorted(outcome.job.row for outcome in outcomes) == list(range(6))
    assert not any(outcome.failure for outcome in outcomes)
    assert max(Counter(staff.given).values()) <= 2


def test_a_job_that_brings_down_two_workers_fails_alone():
    staff = Script(2, ill={3})
    outcomes = {outcome.job.row: outcome.failure for outcome in spread(jobs(5), staff)}
    assert outcomes.pop(3) == "the process ended while rendering, twice (SIGKILL)"
    assert outcomes == {0: "", 1: "", 2: "", 4: ""}
    assert staff.given.count(3) == 2


def test_the_last_job_can_be_ill():
    outcomes = list(spread(jobs(1), Script(4, ill={0})))
    assert [bool(outcome.failure) for outcome in outcomes] == [True]


def test_workers_that_never_get_ready_end_the_run():
    staff = Script(2, {(place, moment) for place in (0, 1) for moment in range(9)})
    with pytest.raises(ChildProcessError, match=r"3 workers in a row .* \(SIGKILL\): fewer --workers"):
        list(spread(jobs(5), staff))
    assert staff.closed


def test_a_run_that_is_given_up_ends_its_workers():
    staff = Script(2)
    outcomes = spread(jobs(5), staff)
    next(outcomes)
    outcomes.close()
    assert staff.closed


def test_devices_are_all_gpus_or_the_cpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert local_devices(None, None) == ["cpu"]
    assert local_devices(None, 3) == ["cpu"] * 3
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert local_devices(None, None) == ["cuda:0", "cuda:1"]
    assert local_devices(["cuda:1"], None) == ["cuda:1"]
    assert local_devices(None, 3) == ["cuda:0", "cuda:1", "cuda:0"]


def test_processes_share_the_threads_of_one(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    threads = [Processes(ModelChoice(), ["cpu"] * count)._threads for count in (1, 3, 16)]
    assert threads == [8, 2, 1]


def test_one_device_needs_no_process(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("emo_modules.jobs.local_engine.start_child", None)
    (outcome,) = render_locally(jobs(1), ModelChoice(tiny_checkpoint), ["cpu"])
    assert "/nowhere" in outcome.failure
