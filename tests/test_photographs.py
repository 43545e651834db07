"""What the benchmark of photographs takes for seen and for true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import photographs
from benchmarks.photographs import Sound, cut_recording, pick, speak_sentence, take_turns
from benchmarks.seeing.animated import Acted, Animated, count_blinks, summarise
from emo_modules.media.audio import load_audio
from emo_training.perception.face_track import FaceTrack

from .voices import needs_voices

FRAMES = 40
JAW_OPEN, BLINK_LEFT, BLINK_RIGHT = 25, 9, 10  # in MediaPipe's list of blendshapes
BOX = np.array([[10, 10, 30, 50]], np.float32)


def track(
    jaw: np.ndarray, lids: np.ndarray | float = 0.0, boxes: np.ndarray = BOX, faces: int = 1
) -> FaceTrack:
    expressions = np.zeros((len(jaw), 52), np.float32)
    expressions[:, JAW_OPEN], expressions[:, BLINK_LEFT], expressions[:, BLINK_RIGHT] = jaw, lids, lids
    counts = np.full(len(jaw), faces)
    boxes = np.broadcast_to(boxes, (len(jaw), 4)).copy()
    openings = np.stack([jaw / 2, *[np.ones(len(jaw))] * 3], 1)
    return FaceTrack(counts, boxes, np.zeros((len(jaw), 3)), None, expressions, openings)


def acted(rate: float) -> Acted:
    return Acted(0.5 + 0.5 * np.sin(rate * np.arange(FRAMES)), lids_that_shut(1))


def lids_that_shut(times: int) -> np.ndarray:
    lids = np.full(FRAMES, 0.1)
    for k in range(times):
        lids[5 + 10 * k : 8 + 10 * k] = 0.9
    return lids


def film(truth: Acted | None, jaw: np.ndarray, **seen) -> Animated:
    return Animated.of("p", "s", track(jaw[:1]), track(jaw, **seen), truth)


def test_a_film_that_does_what_was_acted_misses_nothing() -> None:
    truth = acted(0.7)
    made = film(truth, 0.3 * truth.jaw_open[:-1], lids=lids_that_shut(2)[:-1])  # a frame short
    row = made.row()
    assert made.misses == [] and row["one_face"] == row["overlap"] == 1
    assert row["r"] == row["r_lips"] == pytest.approx(1, abs=1e-3)
    assert (row["blinks"], row["true_blinks"]) == (2, 1)


def test_what_is_asked_for_and_missed_is_named() -> None:
    truth = acted(0.7)
    still = film(truth, np.full(FRAMES, 0.2), faces=2, boxes=BOX + (10, 0, 10, 0))
    assert still.misses == ["one face", "overlap", "r"]
    assert still.overlap == pytest.approx(1 / 3)
    assert replace(still, acted=None).misses == ["one face", "overlap"], (
        "of a recording nothing else is known"
    )


def test_frames_without_a_face_overlap_nowhere_and_say_nothing_of_the_jaw() -> None:
    truth = acted(0.7)
    made = film(truth, truth.jaw_open)
    blind = np.arange(FRAMES) % 2 == 0
    made = replace(made, jaw_open=np.where(blind, np.nan, made.jaw_open))
    assert made.r(truth) == pytest.approx(1)
    unseen = film(truth, truth.jaw_open, boxes=np.full(4, np.nan), faces=0)
    assert unseen.overlap == unseen.one_face == 0
    assert film(truth, np.full(FRAMES, np.nan)).row()["r"] is None


def test_the_control_takes_other_sentences() -> None:
    slow, fast = acted(0.3), acted(1.1)
    films = [
        film(slow, slow.jaw_open),
        film(fast, fast.jaw_open),
        film(None, slow.jaw_open, lids=lids_that_shut(1)),
    ]
    summary = summarise(films)
    assert summary["r"] == pytest.approx(1, abs=1e-3) and abs(summary["r_shuffled"]) < 0.3
    assert summary["r_lips"] == pytest.approx(1, abs=1e-3) and abs(summary["r_lips_shuffled"]) < 0.3
    assert summary["missed_by"] == {} and summary["frames"] == 3 * FRAMES
    assert summary["blinks_a_minute_in_recordings"] == pytest.approx(60 * 25 / FRAMES, abs=0.1)


def test_eyes_that_are_narrow_all_the_time_do_not_blink() -> None:
    assert count_blinks(np.full(FRAMES, 0.6)) == 0
    assert count_blinks(np.full(FRAMES, np.nan)) == 0
    assert count_blinks(lids_that_shut(3)) == 3


def test_recordings_take_turns() -> None:
    sounds = [Sound(name, Path(name)) for name in "abc"]
    said = [[sound.name for sound in take_turns(sounds, number)] for number in range(3)]
    assert said == [["a", "b"], ["c", "a"], ["b", "c"]]
    assert len(take_turns(sounds[:1], 5)) == 1 and take_turns([], 2) == []


def test_the_widest_mouth_is_shown_last() -> None:
    opening = np.zeros(30)
    opening[17] = 1
    assert pick(26, opening) == [5, 10, 15, 20, 17]


@needs_voices
def test_a_sentence_is_as_long_as_what_is_acted_to_it(tmp_path: Path) -> None:
    said = speak_sentence(tmp_path, 0, 5_000_900)
    assert said.acted is not None
    assert load_audio(said.path).frame_count(25) == len(said.acted.jaw_open) == photographs.SENTENCE * 25 // 1
    assert said.acted.jaw_open[-5:].max() < 0.05 < said.acted.jaw_open.max(), "shut in the silence at its end"
    assert cut_recording(tmp_path, said.path).acted is None
