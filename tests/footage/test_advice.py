"""What `prepare` and `train` say of footage that gives little or nothing: one sentence, with what to do."""

import json
from itertools import chain

import pytest
from PIL import Image

from emo_training.cli import main
from emo_training.footage import engine, prepare
from emo_training.footage.advice import say_time, warn_of_split

from ..shards import write_shards
from .films import MarkerAnalyzer, beside, nobody, portrait, speech, talking, write_film

SMALL = ["--size", "64", "--min-seconds", "1", "--max-seconds", "3", "--smallest-face", "40"]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, caplog):
    """Prepares `tmp_path / footage` in this process: exit status, last error, warnings, standard output."""
    monkeypatch.setattr(prepare, "load_analyzer", lambda spec: MarkerAnalyzer())
    monkeypatch.setattr(engine, "run_tasks", lambda work, tasks, *_: map(work, tasks))
    prepare.load_tools.cache_clear()

    def run(*more):
        status = main(["prepare", str(tmp_path / "footage"), str(tmp_path / "shards"), *SMALL, *more])
        said = capsys.readouterr()
        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        caplog.clear()
        return status, said.err.splitlines()[-1], warnings, said.out

    yield run
    prepare.load_tools.cache_clear()


def photographs(folder):
    folder.mkdir()
    for person in (0, 1):
        Image.fromarray(portrait(person)).save(folder / f"{person}.png")


def slides(folder):
    pictures = list(chain(talking(0.4), talking(0.4, 1)))
    times = [0.4 * k for k in range(len(pictures))]
    write_film(folder / "a.mkv", pictures, speech(8), times=times)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (photographs, "2 files, mostly because of 'not a video': give files of moving pictures with sound"),
        (slides, "'frame rate too low': give films of 15 pictures a second or more"),
        (
            lambda f: write_film(f / "a.mkv", beside(talking(2), talking(2, 1)), speech(2)),
            "'several faces': cut or crop the films so that one person is seen at a time",
        ),
        (
            lambda f: write_film(f / "a.mkv", nobody(2), speech(2)),
            "'no face': give footage that shows one person",
        ),
        (
            lambda f: write_film(f / "a.mkv", talking(2, side=72), speech(2)),
            "'face too small': give larger faces or sharper films, or lower --smallest-face",
        ),
        (
            lambda f: write_film(f / "a.mkv", talking(2)),
            "'no sound': --without-sound prepares pictures alone",
        ),
    ],
)
def test_footage_without_a_sample_is_an_error_that_says_what_to_do(command, tmp_path, make, sentence):
    make(tmp_path / "footage")
    status, error, _, _ = command()
    assert status == 1
    assert error.startswith(f"error: {tmp_path / 'shards'}: no sample came out of ") and sentence in error
    assert (tmp_path / "shards" / "dropped.jsonl").exists()


def test_a_little_footage_of_one_person_is_told_what_it_is_good_for(command, tmp_path):
    write_film(tmp_path / "footage" / "anna" / "a.mp4", talking(2), speech(2))
    status, _, warnings, printed = command()
    assert status == 0
    assert len(warnings) == 2
    assert "shows anna, so that nobody can be held out" in warnings[0]
    assert warnings[1].startswith(
        "2.0 s of footage is enough to try the commands or to adapt a trained model"
    )
    assert "1 samples, 2.0 s; 0 of 1 people are held out" in printed


def test_the_remedy_for_nobody_held_out_works_without_preparing_again(command, tmp_path):
    for person in ("anna", "carl"):
        write_film(tmp_path / "footage" / person / "a.mp4", talking(1.2), speech(1.2))
    _, _, warnings, printed = command("--test-share", "0")
    assert "nobody in" in warnings[0] and "--split-list" in warnings[0]
    assert "0 of 2 people are held out" in printed
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "parts").iterdir()}
    (tmp_path / "held-out.txt").write_text("carl\n")
    _, _, warnings, printed = command("--split-list", str(tmp_path / "held-out.txt"))
    assert not any("held out" in warning for warning in warnings)
    assert "1 of 2 people are held out" in printed
    assert parts == {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "parts").iterdir()}


def test_older_shards_are_warned_of_too(tmp_path):
    write_shards(tmp_path, clips=2)
    assert warn_of_split(tmp_path) is None
    index = json.loads((tmp_path / "index.json").read_text())
    index["shards"] = [shard for shard in index["shards"] if shard["name"].startswith("train")]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert "is held out" in warn_of_split(tmp_path)


def test_times_are_told_in_the_unit_that_suits_them():
    assert [say_time(seconds / 3600) for seconds in (2.54, 90, 7200)] == ["2.5 s", "1.5 min", "2.0 h"]
