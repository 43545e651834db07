"""What a film of a rendered person is judged by, on curves and pictures whose quality is known."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emo_modules.cues.box import Box
from emo_modules.cues.face import Crop, Face, crop_to_face
from emo_modules.media.audio import Audio, load_audio
from emo_modules.media.image import load_image
from emo_modules.media.video import VideoWriter
from emo_modules.options import Options
from emo_modules.prepared import Prepared
from emo_people.acting.face import Expression, Pose
from emo_people.acting.performance import perform
from emo_people.evaluation.judge import Judge
from emo_people.evaluation.person_figures import measure_place, summary
from emo_people.evaluation.person_films import (
    Animate,
    Seen,
    Speed,
    animate_with,
    filled,
    without_speed_layers,
)
from emo_people.evaluation.person_sheet import contact_sheet
from emo_people.evaluation.pictures import border_ratio, change, cut_points, eye_energy, outside
from emo_people.evaluation.speaking import SHUT, measure_closures, measure_silence
from emo_people.evaluation.turning import measure_speed
from emo_people.filming.people_cases import (
    KINDS,
    CaseFiles,
    PersonCase,
    cut_at,
    draw_case,
    random_view,
    then_silence,
)
from emo_people.filming.speakers import FPS
from emo_people.filming.take import Take
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech
from emo_people.speech.utterances import Utterance
from emo_training.evaluation.motion import blink_count
from emo_training.perception.face_track import FaceTrack
from emo_training.perception.faces import PeopleAnalyzer

from .gl import drawn as drawn

OPEN = 5 * SHUT
SOUNDS = (
    Phoneme("pau", 0.0, 0.4),
    Phoneme("aa", 0.4, 0.8),
    Phoneme("m", 0.8, 0.88),
    Phoneme("aa", 0.88, 1.2),
    Phoneme("p", 1.2, 1.28),
    Phoneme("aa", 1.28, 1.6),
    Phoneme("pau", 1.6, 2.4),
)


def spoken() -> Speech:
    return Speech(np.ones(round(2.4 * SAMPLE_RATE), np.float32), SOUNDS)


def lips(*shut: slice) -> np.ndarray:
    """Openings of 60 frames, open but for these."""
    opening = np.full(60, OPEN)
    for part in shut:
        opening[part] = 0.0
    return opening


def test_closures_are_met_within_a_frame_of_their_middle():
    both = measure_closures(lips(slice(21, 22), slice(30, 32)), SOUNDS)
    assert (both.asked, both.met) == (2, 2)
    assert 0 < both.chance < 0.35
    late = measure_closures(lips(slice(24, 26)), SOUNDS)
    assert (late.asked, late.met) == (2, 0) and late.chance > 0


def test_lips_that_are_always_shut_meet_no_more_than_by_chance():
    still = measure_closures(np.zeros(60), SOUNDS)
    assert still.met == still.asked and still.chance == 1


def test_silence_asks_for_shut_lips():
    quiet = measure_silence(lips(slice(0, 10), slice(42, 60)), spoken())
    assert quiet.frames > 10 and quiet.shut == quiet.frames and quiet.opening == 0
    loud = measure_silence(lips(), spoken())
    assert loud.shut == 0 and loud.opening / loud.frames == pytest.approx(OPEN)


def test_speech_is_cut_and_falls_silent():
    short = then_silence(cut_at(spoken(), 1.0), 0.5)
    assert len(short.waveform) == 1.5 * SAMPLE_RATE and not short.waveform[-8000:].any()
    assert [p.symbol for p in short.phonemes] == ["pau", "aa", "m", "aa", "pau"]
    assert (short.phonemes[3].end, short.phonemes[4].end) == (1.0, 1.5)


def test_blinks_are_counted():
    eyes = np.full(100, 0.1)
    eyes[30:36] = eyes[70:74] = 0.02
    assert blink_count(eyes) == 2


def test_gaps_are_bridged():
    assert filled(np.array([np.nan, 1, np.nan, 3])).tolist() == [1, 1, 2, 3]
    assert filled(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_a_jump_at_the_borders_is_seen():
    changes = np.ones(35)
    assert border_ratio(changes, 12) == 1
    changes[[11, 23]] = 3
    assert border_ratio(changes, 12) == pytest.approx(3)


def test_change_is_told_inside_and_outside():
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    frames[1, :4] = 10
    lower = np.zeros((8, 8), bool)
    lower[4:] = True
    assert change(frames).tolist() == [5] and change(frames, lower).tolist() == [0]


def test_outside_is_neither_the_true_person_nor_a_face_that_was_read():
    person = np.zeros((64, 64), np.uint8)
    person[20:40, 20:40] = 1
    crop = Crop(64, 64, Box(0, 0, 64, 64), 64, 64)
    free = outside(person, crop, np.array([[44.0, 44, 52, 52], [np.nan] * 4]))
    assert not free[15:45, 15:45].any() and not free[43:53, 43:53].any()
    assert free[:8].all() and free[60:].all()
    assert outside(np.ones((64, 64), np.uint8), crop, np.empty((0, 4))) is None


def test_points_follow_the_crop():
    picture = torch.zeros(40, 40, 3)
    picture[20:22, 24:26] = 1
    cut, crop, _ = crop_to_face(picture, Face(Box(16, 12, 32, 28), "drawn"), 64, 64)
    x, y = cut_points(np.array([25.0, 21.0]), crop)
    assert cut[0, int(y), int(x)] > 0.9 and cut[0].mean() < 0.1


def test_blurred_eyes_have_less_energy():
    points = np.full((68, 2), 5.0)
    points[36:42] = np.array([[16, 16], [20, 13], [24, 13], [28, 16], [24, 19], [20, 19]])
    points[42:48] = points[36:42] + [20, 0]
    sharp = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3)).astype(np.uint8)
    soft = (sharp // 2).astype(np.uint8)
    ratio = eye_energy(soft, points[None]) / eye_energy(sharp, points[None])
    assert ratio == pytest.approx(0.25, abs=0.02)
    assert eye_energy(sharp, np.full((1, 68, 2), np.nan)) == 0


def track(boxes: np.ndarray, openings: np.ndarray | None = None) -> FaceTrack:
    count = len(boxes)
    blank = np.zeros((count, 3), np.float32)
    return FaceTrack(np.ones(count, int), boxes, blank, np.zeros((count, 68, 2)), openings=openings)


def test_a_face_elsewhere_and_larger_is_out_of_place():
    frames = np.zeros((3, 100, 100, 3), np.uint8)
    portrait = Seen(frames[:1], track(np.array([[20.0, 20, 60, 70]])))
    there = Seen(frames, track(np.tile([30.0, 20, 70, 70], (3, 1))))
    assert measure_place(portrait, there).off == pytest.approx(0.1)
    larger = Seen(frames, track(np.tile([16.0, 15, 64, 75], (3, 1))))
    assert measure_place(portrait, larger).size == pytest.approx(1.2)
    assert measure_place(portrait, Seen(frames, track(np.full((3, 4), np.nan)))).size == 0


@pytest.mark.parametrize("seed", range(6))
def test_faces_of_all_sizes_fit_the_picture(seed):
    view = random_view(np.random.default_rng(seed), random_person(seed))
    assert view.width <= view.height <= view.width * 4 / 3 and view.height % 2 == 0
    assert 0.3 < view.face < 1.05


@pytest.fixture(scope="module")
def case() -> PersonCase:
    """A second of a vowel between two silences, and of a nod."""
    phonemes = (
        Phoneme("pau", 0, 0.2),
        Phoneme("aa", 0.2, 0.6),
        Phoneme("m", 0.6, 0.7),
        Phoneme("pau", 0.7, 1.0),
    )
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    voiced = np.where((time > 0.2) & (time < 0.7), 0.3 * np.sin(900 * time), 0).astype(np.float32)
    speech, start, mood = Speech(voiced, phonemes), Pose(), Expression.of()
    performance = perform(speech, 25, FPS, 15.0, start, 7, mood)
    take = Take(random_person(7), Framing(144, 128, 0.6, 0.4), speech, start, mood, performance)
    return PersonCase(7, KINDS[0], Utterance("en", "ah", "flite:slt"), 15.0, mood, take)


@pytest.fixture(scope="module")
def cases(drawn, case, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    draw_case(case.folder(folder), case, drawn)
    return folder


def whole(picture: torch.Tensor) -> Prepared:
    height, width = picture.shape[:2]
    box = Box(0, 0, width, height)
    return Prepared(picture.movedim(-1, 0), Crop(width, height, box, width, height), box, Face(box, "drawn"))


def judge(animate: Animate, cases: Path) -> Judge:
    return Judge(animate, animate, 4, PeopleAnalyzer.load(), cases, cases / "films", lambda line: None)


def test_the_true_film_is_found_nearly_perfect(case, cases):
    def copy(files: CaseFiles, film: Path, speed: float | None) -> Prepared:
        film.parent.mkdir(exist_ok=True)
        film.write_bytes(files.film.read_bytes())
        return whole(load_image(files.portrait))

    row = judge(copy, cases).measure(case, None)
    assert row.faces == 1 and row.frames == 25 and row.zoom == 1
    assert row.mouth.opening_r > 0.9 and abs(row.mouth.lag) <= 1
    assert row.mouth.closures == row.mouth.closures_of_truth and row.mouth.closures.asked == 1
    assert row.pictures.eye_energy == pytest.approx(1, abs=0.25)
    assert row.pictures.change == row.mouth.motion == 1
    assert row.pictures.outside_change < 0.3
    assert row.place.off < 0.04 and row.place.size == pytest.approx(1, abs=0.1)


def test_a_model_without_training_is_judged_from_files_to_figures(case, cases, tiny_pipeline):
    rows = [judge(animate_with(tiny_pipeline, Options()), cases).measure(case, None)]
    figures = summary(rows, rows)
    assert json.loads(json.dumps([rows[0].row(), figures], allow_nan=False))[1]["cases"] == 1
    assert figures["eye_energy"] != pytest.approx(1, abs=0.2)
    assert figures["lip_r_shuffled"] is None and figures["top1"] == "not measured"
    assert rows[0].made.shape == rows[0].true.shape == (25, 64, 64, 3)
    assert contact_sheet(rows).size == (12 * 160, 2 * 160)


class SpeedReader:
    """In place of what reads films: a head that turns by a fourth of each frame's grey level a second."""

    def analyze(self, frames: np.ndarray) -> FaceTrack:
        yaw = np.cumsum(frames.mean((1, 2, 3)) / 4) / FPS
        seen = track(np.zeros((len(frames), 4)))
        return replace(seen, rotations=np.stack([yaw, 0 * yaw, 0 * yaw], axis=1))


def test_heads_are_judged_by_what_they_are_asked_for_and_by_what_layers_add(case, cases):
    def turning(heard: bool) -> Animate:
        def animate(files: CaseFiles, film: Path, speed: Speed) -> Prepared:
            film.parent.mkdir(exist_ok=True)
            curve = speed if isinstance(speed, tuple) else (speed,) * 25
            grey = 4 * np.array(curve) if heard else np.full(25, 36)
            with VideoWriter(film, 64, 64, FPS) as writer:
                for level in grey:
                    writer.write(np.full((64, 64, 3), level, np.uint8))
            return whole(load_image(files.portrait))

        return animate

    judge = Judge(
        turning(True), turning(False), 12, SpeedReader(), cases, cases / "turning", lambda line: None
    )
    figures = measure_speed(judge, [case], (4.0, 14.0, 30.0))
    assert figures["spearman"] == pytest.approx(1)
    assert figures["mean_over_asked"] == pytest.approx([1, 1, 1], abs=0.15)
    assert figures["zeroed"]["spearman"] == pytest.approx(0)
    assert figures["curve"]["doubled"] > 1.5
    assert figures["curve"]["level"] == pytest.approx(1, abs=0.05)


def test_every_case_is_another_performance(case, cases, tmp_path):
    seeds = []

    class Asked(Exception):
        pass

    def animate(portrait: torch.Tensor, speech: Audio, options: Options) -> None:
        seeds.append(options.seed)
        raise Asked

    pipeline = SimpleNamespace(animate=animate)
    for name in ("7", "8"):
        shutil.copytree(case.folder(cases), tmp_path / name)
        with pytest.raises(Asked):
            animate_with(pipeline, Options())(CaseFiles(tmp_path / name), tmp_path / "film.mp4", 12.0)
    assert seeds == [7, 8]


def test_without_speed_layers_every_speed_is_the_same(tiny_pipeline, case, cases):
    files, films = CaseFiles(case.folder(cases)), []
    portrait, speech = load_image(files.portrait), load_audio(files.speech)
    for pipeline in (tiny_pipeline, without_speed_layers(tiny_pipeline)):
        asked = [Options(head_speed=speed) for speed in (4.0, 40.0)]
        films.append([torch.cat(list(pipeline.animate(portrait, speech, one).frames)) for one in asked])
    assert (films[0][0] != films[0][1]).any()
    assert (films[1][0] == films[1][1]).all()
