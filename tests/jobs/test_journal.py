"""The journal: a line for each job, whole after any kill."""

import json
from pathlib import Path

import pytest

from emo_modules.film import FaceOptions
from emo_modules.jobs.job import Job
from emo_modules.jobs.journal import Entry, Journal
from emo_modules.jobs.report import Report

DONE = Entry(1, "a.mp4", "digest", frames=25, seconds=1.0, took=2.0, size=4)


@pytest.fixture
def a_job(tmp_path) -> Job:
    (tmp_path / "a.mp4").write_bytes(b"film")
    return Job(1, Path("p"), Path("a"), tmp_path / "a.mp4", "a.mp4", FaceOptions(), {}, "digest")


def write(folder: Path, *entries: Entry) -> Path:
    with Journal(folder) as journal:
        for entry in entries:
            journal.add(entry)
    return journal.path


def has(folder: Path, job: Job) -> bool:
    with Journal(folder) as journal:
        return journal.has(job)


def test_a_line_is_on_the_disk_when_it_was_added(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add(DONE)
        (line,) = journal.path.read_text().splitlines()
    assert json.loads(line)["output"] == "a.mp4"


def test_a_film_that_is_there_is_known(tmp_path, a_job):
    assert not has(tmp_path, a_job)
    write(tmp_path, DONE)
    assert has(tmp_path, a_job)


@pytest.mark.parametrize(
    "later",
    [
        Entry(1, "a.mp4", "another", size=4),
        Entry(1, "a.mp4", "digest", size=5),
        Entry(1, "a.mp4", "digest", failure="no face"),
    ],
)
def test_the_last_line_counts(tmp_path, a_job, later):
    write(tmp_path, DONE, later)
    assert not has(tmp_path, a_job)
    write(tmp_path, DONE)
    assert has(tmp_path, a_job)


@pytest.mark.parametrize("cut", range(1, 130, 16))
def test_a_line_that_a_kill_cut_short_is_taken_away(tmp_path, a_job, cut):
    path = write(tmp_path, DONE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert has(tmp_path, a_job)
    write(tmp_path, Entry(2, "b.mp4", failure="no face"))
    assert [json.loads(line)["row"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize("line", ["no JSON", "[1]", '{"row": 1}', '{"row": 1, "output": "a", "mood": ""}'])
def test_another_file_is_not_taken_for_a_journal(tmp_path, line):
    path = write(tmp_path, DONE)
    path.write_text(f"{line}\n" + path.read_text())
    with pytest.raises(ValueError, match=r"report\.jsonl, line 1 is none of a report"):
        write(tmp_path)
    assert len(path.read_text().splitlines()) == 2


def test_the_report_counts_and_lists(tmp_path):
    failed = [Entry(k, "", failure=f"why | {k}\nreally \ud800") for k in (3, 2)]
    report = Report(6, 1, [DONE, *failed, Entry(5, "e.mp4", remarks=("dark",), seconds=3.0)], 120.0)
    assert str(report) == (
        "6 jobs: 2 films rendered, 1 there before, 2 failed, 1 left; 60.0 films an hour, "
        "0.0333 s of film in a second"
    )
    text = report.write(tmp_path).read_text()
    assert [line for line in text.splitlines() if line.startswith(("| 2", "| 3", "| 5"))] == [
        "| 2 |  | why \\| 2 really \\ud800 |",
        "| 3 |  | why \\| 3 really \\ud800 |",
        "| 5 | e.mp4 | dark |",
    ]
