import numpy as np
import pytest

from emo_modules.cues.face import Box
from emo_training.perception import cascade
from emo_training.perception.analyzers import load_analyzer
from emo_training.perception.cascade import CascadeAnalyzer
from emo_training.perception.face_track import largest


@pytest.fixture
def looks(monkeypatch):
    """Replaces the cascade: pixel values of a frame are its number, `faces` says what is seen in it."""
    seen = []

    def install(faces):
        def detect(frame):
            seen.append(int(frame[0, 0, 0]))
            return faces(seen[-1])

        monkeypatch.setattr(cascade, "detect_faces", detect)
        return seen

    return install


def numbered(count: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), k, np.uint8) for k in range(count)]


def test_every_fifth_frame_and_the_last_are_looked_at(looks):
    seen = looks(lambda k: [Box(k, 10, k + 20, 40)])
    track = CascadeAnalyzer(stride=5).analyze(iter(numbered(13)))
    assert seen == [0, 5, 10, 12]
    assert track.counts.tolist() == [1] * 13 and track.rotations is None
    assert np.allclose(track.boxes, [(k, 10, k + 20, 40) for k in range(13)])


def test_boxes_need_a_face_at_both_looks(looks):
    looks(lambda k: [] if k == 4 else [Box(0, 0, 9, 9)])
    track = CascadeAnalyzer(stride=2).analyze(numbered(9))
    assert np.isnan(track.boxes[:, 0]).tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert track.counts.tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]


def test_a_second_face_is_counted_on_both_sides_of_the_look(looks):
    looks(lambda k: [Box(0, 0, 9, 9)] + [Box(20, 0, 50, 30)] * (k == 3))
    track = CascadeAnalyzer(stride=3).analyze(numbered(10))
    assert track.counts.tolist() == [1, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    assert track.boxes[3].tolist() == [20, 0, 50, 30]


def test_no_frames_give_an_empty_track(looks):
    looks(lambda k: [])
    track = CascadeAnalyzer().analyze([])
    assert len(track) == 0 and track.boxes.shape == (0, 4)


def test_the_cascade_sees_a_real_face_and_no_face_in_a_plain_picture():
    from skimage import data

    face = data.astronaut()
    track = CascadeAnalyzer(stride=2).analyze([face, face, np.full_like(face, 128)])
    assert track.counts.tolist() == [1, 1, 0] and np.isnan(track.boxes[1:]).all()
    x, y = (track.boxes[0, :2] + track.boxes[0, 2:]) / 2
    assert abs(x - 222) < 25 and abs(y - 120) < 30


def test_largest():
    assert largest(np.array([[0, 0, 2, 2], [5, 5, 9, 8]])).tolist() == [5, 5, 9, 8]
    assert np.isnan(largest(np.zeros((0, 4)))).all()


@pytest.mark.parametrize(
    "spec", ["", "mediapipe", "mediapipe:", "cascades", "avatars", "tracker", "tracker:"]
)
def test_unknown_analyzers_are_refused(spec):
    with pytest.raises(ValueError, match="unknown face analyzer .*give 'faces'"):
        load_analyzer(spec)


def test_analyzers_are_named():
    assert load_analyzer("cascade").name == "cascade"
