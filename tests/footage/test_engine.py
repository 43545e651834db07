"""From a folder to shards: stopped anywhere, packed by any engine, the bytes are the same."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_training.cli import main
from emo_training.footage import engine, pack, prepare
from emo_training.footage.config import PrepareConfig
from emo_training.footage.engine import Engine, pack_footage, prepare_footage
from emo_training.footage.prepare import Part
from emo_training.footage.shards import ShardIndex, read_samples
from emo_training.footage.sources import split_of
from emo_training.footage.workers import ACCESS_VIOLATION, _death, run_tasks

from ..systems import needs_proc, needs_signals
from .films import MarkerAnalyzer, speech, talking, write_film
from .marker_prepare import CONFIG

SCRIPT = Path(__file__).with_name("marker_prepare.py")


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    for k in range(5):
        write_film(
            folder / f"person{k}" / "film.mp4", talking(1.2 + 0.4 * k, k % 2, side=160), speech(1.2 + 0.4 * k)
        )
    (folder / "notes.txt").write_text("no film")
    return folder


@pytest.fixture
def here(monkeypatch):
    """Workers in this process, which know the marker."""
    monkeypatch.setattr(prepare, "load_analyzer", lambda spec: MarkerAnalyzer())
    monkeypatch.setattr(engine, "run_tasks", lambda work, tasks, *_: map(work, tasks))
    prepare.load_tools.cache_clear()
    yield
    prepare.load_tools.cache_clear()


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def unkilled(footage, tmp_path_factory):
    shards = tmp_path_factory.mktemp("unkilled")
    subprocess.run([sys.executable, SCRIPT, footage, shards], check=True, capture_output=True)
    return contents(shards)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_gives_the_same_bytes(footage, unkilled, tmp_path):
    shards, rng, kills = tmp_path / "shards", random.Random(3), 0
    for files in (3, 6, 9):  # are there, and a random moment later
        process = subprocess.Popen([sys.executable, SCRIPT, footage, shards], stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(shards.rglob("*"))) < files:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills >= 2
    subprocess.run([sys.executable, SCRIPT, footage, shards], check=True, capture_output=True)
    assert contents(shards) == unkilled


@pytest.mark.parametrize("stop", range(1, 9))
def test_stopped_while_packing_it_goes_on_and_gives_the_same_bytes(
    here, footage, unkilled, tmp_path, monkeypatch, stop
):
    """Stops at each rename or removal of a file in turn, as a kill would."""

    class Killed(BaseException):
        pass

    prepare_footage(footage, tmp_path, CONFIG, share=(0, 1))
    steps = 0

    def counted(real):
        def call(*args, **options):
            nonlocal steps
            steps += 1
            if steps == stop:
                raise Killed
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", counted(os.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        pack_footage(footage, tmp_path, CONFIG)
    prepare_footage(footage, tmp_path, CONFIG)
    assert contents(tmp_path) == unkilled


def test_parts_of_an_array_give_the_same_bytes_as_one_run(here, footage, unkilled, tmp_path):
    assert prepare_footage(footage, tmp_path, CONFIG, share=(1, 3)) is None
    with pytest.raises(ValueError, match="files are not prepared, such as .*--pack"):
        pack_footage(footage, tmp_path, CONFIG)
    prepare_footage(footage, tmp_path, CONFIG, share=(0, 3))
    prepare_footage(footage, tmp_path, CONFIG, share=(2, 3))
    summary = pack_footage(footage, tmp_path, CONFIG)
    assert contents(tmp_path) == unkilled
    assert summary["sources"] == 6 and summary["clips"] >= 5
    assert summary["dropped"]["read: not a video"]["spans"] == 1
    assert prepare_footage(footage, tmp_path, CONFIG) == summary  # nothing is left to do


def test_every_sample_is_in_one_shard_and_one_split(unkilled, tmp_path):
    for name, content in unkilled.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    shards = sorted(tmp_path.glob("*.tar"))
    samples = {sample.key: sample for path in shards for sample in read_samples(path)}
    assert len(samples) == sum(1 for path in shards for _ in read_samples(path)) >= 5
    assert len(shards) >= 3 and not list((tmp_path / "parts").glob("*.tar"))
    found = [entry for split in ("train", "test") for entry in ShardIndex.load(tmp_path, split).entries]
    assert sorted(entry.key for entry in found) == sorted(samples)
    assert all(entry.split == split_of(entry.identity, CONFIG.test_share) for entry in found)
    assert json.loads((tmp_path / "dropped.jsonl").read_text())["source"] == "notes.txt"


def test_webdataset_reads_a_shard(unkilled, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    name = next(name for name in unkilled if name.endswith(".tar"))
    (tmp_path / name).write_bytes(unkilled[name])
    first = next(iter(webdataset.WebDataset(str(tmp_path / name), shardshuffle=False, empty_check=False)))
    wanted = next(read_samples(tmp_path / name))
    assert first["__key__"] == wanted.key
    assert {suffix: first[suffix] for suffix in ("mp4", "flac", "npz", "json")} == wanted.members()


def test_other_footage_or_settings_are_refused(here, footage, tmp_path):
    films = tmp_path / "films"
    write_film(films / "a.mp4", talking(1.2, side=160), speech(1.2))
    shards = tmp_path / "shards"
    prepare_footage(films, shards, CONFIG)
    with pytest.raises(ValueError, match=r"begun with size 64 \(now 128\)"):
        prepare_footage(films, shards, replace(CONFIG, size=128))
    (films / "b.txt").write_text("new")
    with pytest.raises(ValueError, match="already holds shards, and 1 files .* such as b.txt"):
        prepare_footage(films, shards, CONFIG)


def test_a_file_that_was_replaced_or_taken_away_before_packing_is_not_used(here, tmp_path):
    films, shards = tmp_path / "films", tmp_path / "shards"
    write_film(films / "a.mp4", talking(1.2, side=160), speech(1.2))
    write_film(films / "b.mp4", talking(1.2, side=160), speech(1.2))
    (films / "c.mp4").write_text("damaged")
    prepare_footage(films, shards, CONFIG, share=(0, 1))
    (films / "b.mp4").unlink()
    write_film(films / "c.mp4", talking(1.6, side=160), speech(1.6))
    prepare_footage(films, shards, CONFIG)
    names = [s.facts["source"] for path in sorted(shards.glob("*.tar")) for s in read_samples(path)]
    assert sorted(names) == ["a.mp4", "c.mp4"]


def test_a_full_disk_stops_with_the_remedy_and_resumes(here, footage, unkilled, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="run the same command again"):
        patch.setattr(prepare.ShardWriter, "write", full)
        prepare_footage(footage, tmp_path, CONFIG)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="run the same command again"):
        patch.setattr(pack.ShardWriter, "write", full)
        prepare_footage(footage, tmp_path, CONFIG)
    prepare_footage(footage, tmp_path, CONFIG)
    assert contents(tmp_path) == unkilled


def test_shards_fill_up_in_the_order_of_the_keys():
    def part(key, *sizes):
        clips = [{"key": f"{key}-{k}", "frames": 25, "bytes": size} for k, size in enumerate(sizes)]
        return Part(key, key, 1, key, tuple(clips))

    plan = pack.plan_shards([part("c", 60), part("a", 50, 60, 70), part("b", 40, 200)], 100)
    assert plan == {
        "shard-000000.tar": [("a", ["a-0", "a-1"])],
        "shard-000001.tar": [("a", ["a-2"]), ("b", ["b-0"])],
        "shard-000002.tar": [("b", ["b-1"])],
        "shard-000003.tar": [("c", ["c-0"])],
    }


def split_again(footage, shards, **settings):
    """Prepares once more with other settings of the split: who is held out, and all files but the index."""
    prepare_footage(footage, shards, replace(CONFIG, **settings))
    entries = ShardIndex.load(shards, "test").entries
    kept = {name: content for name, content in contents(shards).items() if name != "index.json"}
    return {entry.identity for entry in entries}, kept


def test_another_split_prepares_and_packs_nothing_again(here, footage, unkilled, tmp_path, monkeypatch):
    names = tmp_path / "held-out.txt"
    names.write_text("person3\nfilm-of-nobody\n")
    shards = tmp_path / "shards"
    prepare_footage(footage, shards, CONFIG)
    monkeypatch.setattr(engine, "write_part", pytest.fail)
    monkeypatch.setattr(pack, "ShardWriter", pytest.fail)
    listed, files = split_again(footage, shards, split_list=str(names))
    assert listed == {"person3"}
    index = json.loads((shards / "index.json").read_text())
    assert index["summary"]["people"] == {"train": 4, "test": 1}
    assert index["summary"]["not_in_footage"] == ["film-of-nobody"]
    assert index["config"]["split_list"] == "held-out.txt"  # no path of this machine
    everybody, again = split_again(footage, shards, test_share=1.0)
    assert everybody == {f"person{k}" for k in range(5)} and again == files
    prepare_footage(footage, shards, CONFIG)
    assert contents(shards) == unkilled


def test_head_speeds_of_people_held_out_are_not_counted(here, footage, tmp_path):
    prepare_footage(footage, tmp_path, replace(CONFIG, test_share=0.0))
    everybody = ShardIndex.load(tmp_path).speeds
    prepare_footage(footage, tmp_path, CONFIG)
    train, test = (ShardIndex.load(tmp_path, split) for split in ("train", "test"))
    assert test.speeds.sum() > 0 and np.array_equal(train.speeds + test.speeds, everybody)
    frames = sum(entry.frames for entry in train.entries)
    assert 0.9 * frames <= train.speeds.sum() <= frames


def test_a_split_that_cannot_be_is_refused_before_anything_is_prepared(here, footage, tmp_path):
    names = tmp_path / "held-out.txt"
    names.write_text("nobody\n")
    with pytest.raises(ValueError, match="none of its 1 lines names a file or person of the footage"):
        prepare_footage(footage, tmp_path / "shards", replace(CONFIG, split_list=str(names)))
    assert not list((tmp_path / "shards").rglob("*.tar"))


def _task(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 9:
        raise OSError(errno.EIO, "broken")
    return number * 10


@needs_signals
def test_a_decoder_that_crashes_takes_only_its_file():
    found = list(run_tasks(_task, [1, 2, 3], 2, lambda task, what: (task, what)))
    assert sorted(map(str, found)) == ["(2, 'the decoder crashed: SIGSEGV')", "10", "30"]
    with pytest.raises(OSError, match="broken"):
        list(run_tasks(_task, [9], 1, lambda task, what: None))


def test_a_memory_fault_on_windows_is_one_too():
    assert _death(ACCESS_VIOLATION) == signal.SIGSEGV


@pytest.mark.slow
@needs_proc
def test_workers_end_with_their_parent(tmp_path):
    code = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.footage.test_engine import _sleep
from emo_training.footage.workers import run_tasks
list(run_tasks(_sleep, [{str(tmp_path / "pid")!r}], 1, print))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    worker = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    raise AssertionError("the worker outlived its parent")


def _sleep(path):
    Path(path + ".new").write_text(str(os.getpid()))
    os.replace(path + ".new", path)
    time.sleep(60)


@pytest.mark.slow
def test_ray_gives_the_same_shards(tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'ray[data]'")
    # whose lips do not move: with sound they would be dropped
    config = PrepareConfig(
        size=64, min_seconds=0.4, max_seconds=3, smallest_face=40, shard_size=60_000, sound=False
    )
    for k in range(3):
        write_film(tmp_path / "f" / f"{k}.mp4", talking(0.6, side=200, marked=False))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        prepare_footage(tmp_path / "f", tmp_path / "ray", config, Engine("ray", 2))
    finally:
        ray.shutdown()
    prepare_footage(tmp_path / "f", tmp_path / "local", config, Engine("local", 2))
    found = contents(tmp_path / "ray")
    assert found == contents(tmp_path / "local") and any(name.endswith(".tar") for name in found)


def test_the_contact_sheet_shows_every_sample(unkilled, tmp_path, capsys):
    from PIL import Image

    name = next(name for name in unkilled if name.endswith(".tar"))
    (tmp_path / name).write_bytes(unkilled[name])
    samples = len(list(read_samples(tmp_path / name)))
    assert main(["inspect", str(tmp_path / name), "-o", str(tmp_path / "sheet.png")]) == 0
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[0] % samples == 0 and sheet.shape[1] == 1152 and sheet.std() > 20
    assert "sheet.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ([], {}),
        (["--without-sound", "--shots", "transnet"], {"sound": False, "shots": "transnet"}),
        (["--min-seconds", "1.5", "--size", "256"], {"min_seconds": 1.5, "size": 256}),
        (["--syncnet", "net"], {"syncnet": str(Path("net").resolve())}),
        (["--split-list", "test.txt"], {"split_list": str(Path("test.txt").resolve())}),
        (["--shard-mb", "2"], {"shard_size": 2_000_000}),
    ],
)
def test_options_are_the_settings(tmp_path, monkeypatch, given, changed):
    found = []
    monkeypatch.setattr("emo_training.cli.prepare.prepare_footage", lambda *args: found.append(args[2]))
    assert main(["prepare", str(tmp_path), str(tmp_path / "out"), *given]) == 0
    assert found == [replace(PrepareConfig(), **changed)]


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["prepare", str(tmp_path / "absent"), str(tmp_path / "out")]) == 1
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text("x")
    assert main(["prepare", str(tmp_path), str(tmp_path / "out"), "--part", "3"]) == 1
    assert "--part takes I/N" in capsys.readouterr().err
    assert main(["prepare", str(tmp_path), str(tmp_path / "out"), "--analyzer", "none"]) == 1
    assert "unknown face analyzer" in capsys.readouterr().err
