"""One file through all stages: every fault is found, every good clip kept."""

import errno
import os
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from emo_training.footage import prepare
from emo_training.footage.config import PrepareConfig
from emo_training.footage.decode import decode_pictures, decode_sound
from emo_training.footage.prepare import Tools, prepare_source
from emo_training.footage.sources import find_sources
from emo_training.footage.spans import Drop
from emo_training.perception.analyzers import load_analyzer

from .films import MarkerAnalyzer, beside, nobody, speech, talking, write_film

ROOT = Path(__file__).parents[2]
CONFIG = PrepareConfig(size=128, min_seconds=1, max_seconds=3, smallest_face=40)
TOOLS = Tools(MarkerAnalyzer())


def prepared(folder, config=CONFIG, tools=TOOLS):
    """Spans of the clips and (cause, start, stop) of the drops of the folder's only file; the samples."""
    (source,) = find_sources(folder)
    items = list(prepare_source(source, config, tools, folder))
    samples = [item for item in items if not isinstance(item, Drop)]
    clips = [(sample.facts["start"], sample.facts["stop"]) for sample in samples]
    drops = [(item.cause, item.start, item.stop) for item in items if isinstance(item, Drop)]
    return clips, drops, samples


def test_a_good_film_gives_one_whole_clip(tmp_path):
    write_film(tmp_path / "anna" / "a.mp4", talking(2), speech(2))
    clips, drops, (sample,) = prepared(tmp_path)
    assert clips == [(0.0, 2.0)] and drops == []
    facts, arrays = sample.facts, sample.arrays
    assert (facts["frames"], facts["fps"], facts["size"], facts["identity"]) == (50, 25, 128, "anna")
    assert facts["sync"] is None and "split" not in facts  # which is decided later
    assert {name: rows.shape for name, rows in arrays.items()} == {
        "boxes": (50, 4), "rotations": (50, 3), "speeds": (50,),
    }  # fmt: skip
    assert all(rows.dtype == np.float32 for rows in arrays.values())
    pictures = decode_pictures(sample.video, range(50))
    assert pictures.shape == (50, 128, 128, 3) and len(decode_sound(sample)) == 50 * 640
    again = MarkerAnalyzer().analyze(pictures)
    assert np.abs(again.boxes - arrays["boxes"]).max() < 6  # boxes are in pixels of the stored picture


def test_a_cut_makes_two_clips(tmp_path):
    write_film(tmp_path / "a.mp4", chain(talking(1.6), talking(2, 1)), speech(3.6))
    assert prepared(tmp_path)[:2] == ([(0.0, 1.6), (1.6, 3.6)], [])


def test_a_second_face_ends_the_clip_and_the_rest_stays(tmp_path):
    pictures = chain(
        beside(talking(2), nobody(2)), beside(talking(1.2), talking(1.2, 1)), beside(talking(2), nobody(2))
    )
    write_film(tmp_path / "a.mkv", pictures, speech(5.2))
    assert prepared(tmp_path)[:2] == ([(0.0, 2.0), (3.2, 5.2)], [("several faces", 2.0, 3.2)])


@pytest.mark.parametrize(
    ("pictures", "sound", "cause"),
    [
        (lambda: talking(2), None, "no sound"),
        (lambda: talking(2), 0 * speech(2), "silent"),
        (lambda: talking(0.8), speech(0.8), "too short"),
        (lambda: nobody(2), speech(2), "no face"),
        (lambda: beside(talking(2), talking(2, 1)), speech(2), "several faces"),
        (lambda: talking(2, side=72), speech(2), "face too small"),
        (lambda: (picture // 12 for picture in talking(2)), speech(2), "no face"),
    ],
)
def test_faults_are_found(tmp_path, pictures, sound, cause):
    write_film(tmp_path / "a.mkv", pictures(), sound)
    clips, drops, _ = prepared(tmp_path)
    assert clips == [] and [drop[0] for drop in drops] == [cause]


def test_every_second_is_accounted_for(tmp_path):
    pictures = chain(talking(1.6), nobody(1.2), talking(0.6, 1), talking(2))
    write_film(tmp_path / "a.mp4", pictures, speech(5.4))
    clips, drops, _ = prepared(tmp_path)
    edges = sorted([*clips, *(drop[1:] for drop in drops)])
    assert edges[0][0] == 0 and edges[-1][1] == 5.4
    assert all(a[1] == b[0] for a, b in zip(edges, edges[1:], strict=False))


@pytest.mark.parametrize("kind", ["rotated", "subtitled", "variable", "large", "silent picture wanted"])
def test_odd_but_good_films_are_kept(tmp_path, kind):
    path, config = tmp_path / "a.mp4", CONFIG
    if kind == "rotated":
        write_film(path, (np.rot90(picture, -1) for picture in talking(2)), speech(2), rotation=90)
    elif kind == "subtitled":
        write_film(tmp_path / "a.mkv", talking(2), speech(2), subtitles=True)
    elif kind == "variable":
        times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 50))
        write_film(tmp_path / "a.mkv", talking(2), speech(2.2), times=times - times[0])
    elif kind == "large":
        write_film(path, talking(1.2, side=1440), speech(1.2))
    else:
        write_film(path, talking(2))
        config = replace(CONFIG, sound=False)
    clips, _, samples = prepared(tmp_path, config)
    assert len(clips) == 1 and clips[0][1] >= 1.2
    assert (samples[0].audio is None) == (kind == "silent picture wanted")


def test_a_truncated_film_gives_what_is_whole(tmp_path):
    path = write_film(tmp_path / "a.mkv", talking(6, marked=True), speech(6))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clips, drops, _ = prepared(tmp_path)
    assert clips and drops[-1][0] == "truncated" and drops[-1][2] == pytest.approx(6, abs=0.1)


def test_equal_films_give_equal_bytes(tmp_path):
    write_film(tmp_path / "a.mp4", talking(1.4), speech(1.4))
    first, second = (prepared(tmp_path)[2][0].members() for _ in range(2))
    assert first == second


def test_footage_without_consent_is_left_out(tmp_path):
    write_film(tmp_path / "a.mp4", talking(1.4), speech(1.4))
    (tmp_path / "manifest.csv").write_text("file,consent\na.mp4,no\n")
    assert prepared(tmp_path)[1] == [("no consent", 0.0, 0.0)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_left_out(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")  # would block whoever opens it
    assert prepared(tmp_path)[1] == [("not a regular file", 0.0, 0.0)]


def test_a_full_disk_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_film(tmp_path / "a.mp4", talking(1.4), speech(1.4))
    monkeypatch.setattr(prepare, "read_sound", full)
    with pytest.raises(OSError, match="No space left"):
        prepared(tmp_path)
    monkeypatch.setattr(prepare, "read_sound", lambda *_: (_ for _ in ()).throw(MemoryError))
    assert prepared(tmp_path)[1] == [("too large", 0.0, 1.4)]


def test_a_photograph_with_a_voice_is_dropped_without_a_syncnet(tmp_path):
    picture = np.array(Image.open(ROOT / "samples" / "portrait.png").convert("RGB").resize((256, 256)))

    def moved():
        for k in range(40):
            turn = np.array([[1 + k / 400, 0, 8 * np.sin(k / 5)], [0, 1 + k / 400, -k / 10]])
            yield cv2.warpAffine(picture, turn, (256, 256), borderMode=cv2.BORDER_REFLECT)

    write_film(tmp_path / "a.mp4", moved(), speech(1.6))
    assert prepared(tmp_path, tools=Tools(load_analyzer("faces")))[1] == [("lips do not move", 0.0, 1.6)]
