from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from emo_training.footage import stages
from emo_training.footage.config import PrepareConfig
from emo_training.footage.spans import CroppedShot, Drop, Media, Shot, Sound, Source, Span, run_stages
from emo_training.perception.face_track import FaceTrack

CONFIG = PrepareConfig(size=64, min_seconds=1, max_seconds=2.5, smallest_face=40)
SOURCE = Source(Path("a.mp4"), "a.mp4", "a-00000000", "a")


@dataclass(frozen=True)
class Heard:
    offset: int
    confidence: float = 9.0
    distance: float = 5.0


def shot(counts, boxes=None, size=(400, 300), seconds=30.0):
    """A shot from frame 100 on; the face stands still unless boxes say otherwise."""
    counts = np.array(counts)
    if boxes is None:
        boxes = np.tile([100.0, 100, 180, 190], (len(counts), 1))
    boxes = np.where(counts[:, None] > 0, boxes, np.nan).astype(np.float32)
    track = FaceTrack(counts, boxes, np.zeros((len(counts), 3), np.float32))
    media = Media(*size, Fraction(0), seconds, True)
    sound = Sound(np.full(16000 * 30, 3000, np.int16), 0, 16000 * 30)
    return Shot(SOURCE, 100, 100 + len(counts), media, sound, track)


def spans(items):
    return [
        (i.first, i.stop) if isinstance(i, Span) else (round(i.start * 25), round(i.stop * 25), i.cause)
        for i in items
    ]


def test_runs_with_one_face_are_kept_and_the_rest_has_a_reason():
    found = stages.keep_single_face(shot([0] * 20 + [1] * 50 + [2] * 30 + [1] * 40))
    assert spans(found) == [(100, 120, "no face"), (120, 170), (170, 200, "several faces"), (200, 240)]


def test_short_dropouts_are_bridged_by_interpolation():
    boxes = np.tile([100.0, 100, 180, 190], (60, 1)) + np.arange(60)[:, None]
    counts = np.ones(60, int)
    counts[20:28], counts[40:43] = 0, 2
    boxes[40:43] = [0, 0, 50, 50]
    (span,) = stages.keep_single_face(shot(counts, boxes))
    assert np.allclose(span.track.boxes[:, 0], 100 + np.arange(60), atol=1e-3)
    assert np.isfinite(span.track.rotations).all()


def test_a_box_that_jumps_starts_another_shot():
    boxes = np.tile([100.0, 100, 180, 190], (60, 1))
    boxes[25:] += 150
    assert spans(stages.keep_single_face(shot([1] * 60, boxes))) == [(100, 125), (125, 160)]


@pytest.mark.parametrize(("frames", "parts"), [(25, 1), (62, 1), (63, 2), (496, 8)])
def test_segments_are_equal_and_lose_nothing(frames, parts):
    found = stages.split_evenly(shot([1] * frames), CONFIG)
    assert len(found) == parts and sum(map(len, found)) == frames
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all(25 <= len(part) <= 62 for part in found)


def test_short_and_silent_shots_are_dropped():
    assert spans(stages.split_evenly(shot([1] * 24), CONFIG)) == [(100, 124, "too short")]
    span = shot([1] * 50)
    assert stages.drop_silent(span) == [span]
    samples = span.sound.samples.copy()
    samples[64000:96000] = 10
    assert spans(stages.drop_silent(replace(span, sound=Sound(samples, 0, 480000)))) == [(100, 150, "silent")]


def speaking(opening, seconds=3.0):
    span = shot([1] * round(25 * seconds))
    openings = np.tile(np.float32([0, 0.55, 0.1, 0.1]), (len(span), 1))
    openings[:, 0] = opening
    return replace(span, track=replace(span.track, openings=openings))


def test_lips_that_do_not_move_while_there_is_sound_are_dropped():
    noise = np.random.default_rng(0).normal(0, 0.004, 75)
    syllables = 0.08 + 0.08 * np.sin(np.arange(75))
    assert spans(stages.drop_still_lips(speaking(0.1 + noise))) == [(100, 175, "lips do not move")]
    talks = speaking(syllables + noise)
    assert stages.drop_still_lips(talks) == [talks]
    lost = talks.track.openings.copy()
    lost[20:28] = np.nan  # bridged
    bridged = replace(talks, track=replace(talks.track, openings=lost))
    assert stages.drop_still_lips(bridged) == [bridged]


def test_still_lips_are_no_fault_of_pictures_alone_or_where_no_mouth_is_read():
    silent = replace(speaking(0.1), sound=None)
    assert stages.drop_still_lips(silent) == [silent]
    unread = shot([1] * 75)
    assert stages.drop_still_lips(unread) == [unread]


def test_only_what_has_sound_is_kept():
    span = shot([1] * 100)
    sound = Sound(span.sound.samples, 110 * 640, 180 * 640 - 100)
    assert spans(stages.trim_to_sound(replace(span, sound=sound))) == [
        (100, 110, "no sound"),
        (180, 200, "no sound"),
        (110, 180),
    ]
    assert spans(stages.trim_to_sound(replace(span, sound=Sound(sound.samples, 0, 640)))) == [
        (100, 200, "no sound")
    ]


def test_the_crop_holds_the_union_of_all_boxes_and_stays_inside():
    boxes = np.tile([100.0, 100, 180, 190], (50, 1)) + np.linspace(0, 30, 50)[:, None] * [1, 0, 1, 0]
    x0, y0, x1, y1 = stages.choose_crop(shot([1] * 50, boxes), CONFIG)
    assert x1 - x0 == y1 - y0 == pytest.approx(1.6 * 110, abs=1)
    assert (x0 + x1) / 2 == pytest.approx(155, abs=2) and (y0 + y1) / 2 == pytest.approx(145, abs=1)
    near_edge = np.tile([5.0, 200, 85, 290], (50, 1))
    x0, _, x1, y1 = stages.choose_crop(shot([1] * 50, near_edge), CONFIG)
    assert x0 == 0 and y1 == 300 and x1 == pytest.approx(144, abs=1)


def test_one_wrong_box_does_not_widen_the_crop():
    boxes = np.tile([100.0, 100, 180, 190], (50, 1))
    boxes[20] = [40, 40, 300, 300]
    crop = stages.choose_crop(shot([1] * 50, boxes), CONFIG)
    assert crop[2] - crop[0] == 144


@pytest.mark.parametrize(
    ("first", "last", "cause"),
    [
        ((100, 100, 130, 130), (100, 100, 130, 130), "face too small"),
        ((-20, 100, 60, 190), (-20, 100, 60, 190), "face leaves the picture"),
        ((0, 100, 80, 190), (320, 100, 400, 190), "face leaves the picture"),
        ((20, 130, 65, 175), (250, 130, 295, 175), "head moves too far"),
    ],
)
def test_faces_that_give_no_good_crop_are_dropped(first, last, cause):
    boxes = np.linspace(first, last, 50)
    assert spans([stages.choose_crop(shot([1] * 50, boxes), CONFIG)]) == [(100, 150, cause)]


def ready(frames=50):
    pictures = np.random.default_rng(0).integers(60, 200, (frames, 64, 64, 3)).astype(np.uint8)
    whole = shot([1] * frames, np.tile([8.0, 8, 56, 56], (frames, 1)))
    waveform = whole.sound.waveform(whole.first, whole.stop)
    return CroppedShot(**vars(whole), crop=(0, 0, 64, 64), frames=pictures, waveform=waveform)


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_sound_is_moved_by_the_offset_that_was_measured(late):
    span = ready()
    ramp = Sound(np.arange(480000) // 16, 0, 480000)
    found = stages.align_sound(replace(span, sound=ramp), lambda *_: Heard(late), 3.0, CONFIG)
    assert spans(found) == [(100, 150)] and found[0].sync.offset == late
    assert np.array_equal(found[0].waveform, ramp.waveform(100 + late, 150 + late))


def test_moved_sound_shortens_the_shot_where_the_source_has_no_more():
    span = ready()
    ends = Sound(span.sound.samples, 0, 150 * 640)
    (found,) = stages.align_sound(replace(span, sound=ends), lambda *_: Heard(3), 3.0, CONFIG)
    assert (found.first, found.stop) == (100, 147)
    assert len(found.frames) == len(found.track) == 47 and len(found.waveform) == 47 * 640


def test_shots_out_of_sync_are_dropped():
    assert spans(stages.align_sound(ready(), lambda *_: Heard(7), 3.0, CONFIG)) == [(100, 150, "out of sync")]
    low = Heard(0, confidence=2.9)
    assert spans(stages.align_sound(ready(), lambda *_: low, 3.0, CONFIG)) == [
        (100, 150, "lips do not match")
    ]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda p: p // 10, "badly exposed"),
        (lambda p: 235 + p // 10, "badly exposed"),
        (lambda p: 100 + p // 20, "flat"),
        (
            lambda p: np.tile(np.linspace(60, 200, 64).astype(np.uint8)[:, None, None], (len(p), 1, 64, 3)),
            "blurred",
        ),
    ],
)
def test_bad_pictures_are_dropped(change, cause):
    span = ready()
    (kept,) = stages.check_quality(span, CONFIG)
    assert set(kept.quality) == {"sharpness", "brightness", "contrast"}
    assert spans(stages.check_quality(replace(span, frames=change(span.frames)), CONFIG)) == [
        (100, 150, cause)
    ]


def test_every_shot_passes_all_stages_before_the_next_one_starts():
    order = []

    def halves(span):
        middle = (span.first + span.stop) // 2
        yield span.cut(span.first, middle)
        order.append("second half")
        yield span.cut(middle, span.stop)

    def seen(span):
        order.append(span.first)
        return [span] if span.first == 100 else [span.drop("seen", "not wanted: here")]

    found = list(run_stages(shot([1] * 40), [halves, seen]))
    assert order == [100, "second half", 120]
    assert isinstance(found[0], Shot) and found[1] == Drop("a.mp4", 4.8, 5.6, "seen", "not wanted: here")
