"""`render` in one process: films as `animate` makes them, failures, the report, and going on."""

import os

import pytest

from emo_modules.cli import main
from emo_modules.jobs import renderer
from emo_modules.media.video import read_video
from emo_modules.pipeline import Pipeline

from .conftest import BOX, differing, films, job, journal, same_film


def test_a_film_is_the_one_that_animate_makes(render, write_jobs, folder, tiny_checkpoint):
    options = {
        "seed": 3,
        "cfg": 2.0,
        "solver": "euler",
        "steps": 2,
        "head_speed": 30.0,
        "guided_steps": [0, 0.5],
    }
    status, said, errors = render(write_jobs([job(1, output="people/a.mp4", **options)], "jobs.jsonl"))
    assert (status, list(films(folder / "out"))) == (0, ["people/a.mp4"]), errors
    given = [f"--{name.replace('_', '-')}" for name in options]
    values = [[str(v) for v in (value if isinstance(value, list) else [value])] for value in options.values()]
    flags = [word for name, words in zip(given, values, strict=True) for word in (name, *words)]
    alone = folder / "alone.mp4"
    command = ["animate", folder / "anna.png", folder / "1.wav", "-o", alone, "--checkpoint", tiny_checkpoint]
    assert main([*map(str, command), "--box", *map(str, BOX), *flags]) == 0
    assert same_film(films(folder / "out")["people/a.mp4"], alone)
    assert "1 jobs: 1 films rendered, 0 there before, 0 failed, 0 left;" in said


def test_csv_and_jsonl_say_the_same(render, write_jobs, folder):
    rows = [job(0, seed=5, head_speed=4), job(2, "ben.png", guided_steps=[0, 1])]
    assert render(write_jobs(rows, "jobs.jsonl"), out="a")[0] == 0
    assert render(write_jobs(rows), out="b")[0] == 0
    assert differing(folder / "a", folder / "b") == []
    assert list(films(folder / "a")) == list(films(folder / "b")) == ["0001-anna-0.mp4", "0002-ben-2.mp4"]
    digests = [{entry["output"]: entry["digest"] for entry in journal(folder / name)} for name in "ab"]
    assert digests[0] == digests[1]


def test_a_row_that_fails_when_its_turn_comes_stops_no_other(render, write_jobs, folder):
    rows = [job(0), job(1, "damaged.png"), job(0, audio="empty.wav"), job(2, box=[90, 90, 99, 99]), job(1)]
    status, said, errors = render(write_jobs(rows))
    assert status == 1
    assert list(films(folder / "out")) == ["0001-anna-0.mp4", "0005-anna-1.mp4"]
    assert "5 jobs: 2 films rendered, 0 there before, 3 failed, 0 left;" in said
    assert "error: 3 of 5 jobs failed" in errors
    failures = {entry["row"]: entry["failure"] for entry in journal(folder / "out") if entry["failure"]}
    assert "damaged.png" in failures[2]
    assert "empty.wav (0 bytes) cannot be read as audio" in failures[3]
    assert "the box 90, 90, 99, 99 has no area inside the 84x70 picture" in failures[4]
    report = (folder / "out" / "report.md").read_text()
    assert all(f"| {row} | " in report and text in report for row, text in failures.items())


def test_warnings_are_the_films_own(render, write_jobs, folder, caplog):
    assert render(write_jobs([job(0), job(0, box=None)]))[0] == 0
    said = [entry["remarks"] for entry in journal(folder / "out")]
    assert said[0] == []
    assert "no face found in the 84x70 picture" in said[1][0]
    assert "no face found" in (folder / "out" / "report.md").read_text()
    assert "no face found" not in caplog.text


def test_the_model_is_loaded_once(render, write_jobs, monkeypatch):
    load, loads = Pipeline.load, []
    monkeypatch.setattr(Pipeline, "load", lambda *given: loads.append(given) or load(*given))
    assert render(write_jobs([job(k) for k in range(3)]))[0] == 0
    assert len(loads) == 1


def rendered(render, jobs, folder, *options) -> list[int]:
    """The rows that a run renders."""
    before = len(journal(folder / "out"))
    render(jobs, *options)
    return [entry["row"] for entry in journal(folder / "out")[before:]]


def test_only_what_is_missing_or_another_film_is_rendered_again(render, write_jobs, folder, monkeypatch):
    rows = [job(k) for k in range(4)]
    render(write_jobs(rows))
    assert rendered(render, write_jobs(rows), folder) == []
    assert rendered(render, write_jobs([*rows, job(4)]), folder) == [5]
    (folder / "out" / "0002-anna-1.mp4").unlink()
    (folder / "out" / "0003-anna-2.mp4").write_bytes(b"cut short")
    assert rendered(render, write_jobs(rows), folder) == [2, 3]
    assert rendered(render, write_jobs([rows[0] | {"seed": 9}, *rows[1:]]), folder) == [1]
    os.utime(folder / "1.wav", (1, 1))
    assert rendered(render, write_jobs([rows[0] | {"seed": 9}, *rows[1:]]), folder) == [2]
    assert rendered(render, write_jobs(rows[1:2]), folder, "--dtype", "bf16") == [1]
    monkeypatch.setattr("emo_modules.jobs.job.__version__", "99.0.0")
    assert rendered(render, write_jobs([rows[0] | {"seed": 9}, *rows[1:]]), folder) == [1, 2, 3, 4]


def test_nothing_left_to_do_loads_no_model(render, write_jobs, monkeypatch):
    jobs = write_jobs([job()])
    assert render(jobs)[0] == 0
    monkeypatch.setattr(Pipeline, "load", None)
    status, said, _ = render(jobs)
    assert status == 0
    assert "1 jobs: 0 films rendered, 1 there before, 0 failed, 0 left" in said


def test_what_failed_is_tried_again(render, write_jobs, folder):
    jobs = write_jobs([job(0), job(1, "damaged.png")])
    assert render(jobs)[0] == 1
    (folder / "damaged.png").write_bytes((folder / "ben.png").read_bytes())
    status, said, _ = render(jobs)
    assert status == 0
    assert "1 films rendered, 1 there before, 0 failed" in said


def test_ctrl_c_leaves_whole_films_and_says_how_to_go_on(render, write_jobs, folder, monkeypatch, caplog):
    write, calls = renderer.write_video, []

    def interrupt(animation, path, format):
        calls.append(path)
        if len(calls) == 2:
            next(animation.frames)
            raise KeyboardInterrupt
        return write(animation, path, format)

    monkeypatch.setattr(renderer, "write_video", interrupt)
    jobs = write_jobs([job(k) for k in range(3)])
    status, _, errors = render(jobs)
    assert status == 130
    assert "the same command goes on from here" in caplog.text
    assert list(films(folder / "out")) == ["0001-anna-0.mp4"]
    assert (
        "3 jobs: 1 films rendered, 0 there before, 0 failed, 2 left"
        in (folder / "out" / "report.md").read_text()
    )
    monkeypatch.undo()
    assert rendered(render, jobs, folder) == [2, 3]


def test_a_fault_of_the_program_is_raised_with_what_is_done_kept(render, write_jobs, folder, monkeypatch):
    write, calls = renderer.write_video, []

    def fail(animation, path, format):
        calls.append(path)
        if len(calls) == 2:
            raise RuntimeError("shapes do not fit")
        return write(animation, path, format)

    monkeypatch.setattr(renderer, "write_video", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        render(write_jobs([job(k) for k in range(3)]))
    assert [entry["row"] for entry in journal(folder / "out")] == [1]


def test_two_runs_in_one_folder_are_refused(render, write_jobs, folder):
    from emo_modules.writing.folder_lock import folder_in_use

    with folder_in_use(folder / "out", "render"):
        status, _, errors = render(write_jobs([job()]))
    assert status == 1
    assert "is in use by render, process" in errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workers", "0"), "rendering takes at least 1 worker, got 0"),
        (("--device", "nothing"), "device 'nothing' cannot be used here"),
        (("--device", "nothing", "nothing"), "device 'nothing' cannot be used here"),
        (("--engine", "ray", "--device", "cuda:1"), "Ray gives out the GPUs itself"),
        (("--checkpoint", "nothing.safetensors"), "nothing.safetensors: nothing there"),
    ],
)
def test_what_cannot_be_chosen_is_said(render, write_jobs, folder, options, said):
    status, _, errors = render(write_jobs([job(0), job(1)]), *options)
    assert status == 1
    assert said in errors
    assert films(folder / "out") == {}


def test_read_back_a_film_has_its_sounds_length(render, write_jobs, folder):
    render(write_jobs([job(1)]))
    frames, fps, _, _ = read_video(folder / "out" / "0001-anna-1.mp4")
    (entry,) = journal(folder / "out")
    assert (len(frames), fps) == (entry["frames"], 25)
    assert entry["seconds"] == 0.2
    assert entry["size"] == (folder / "out" / entry["output"]).stat().st_size
