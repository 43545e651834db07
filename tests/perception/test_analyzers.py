import numpy as np
import pytest

from emo_training.perception.analyzers import load_analyzer
from emo_training.perception.face_track import largest


def test_the_packs_own_analyser_sees_a_real_face_and_no_face_in_a_plain_picture():
    from skimage import data

    face = data.astronaut()
    track = load_analyzer("faces").analyze([face, face, np.full_like(face, 128)])
    assert track.counts.tolist() == [1, 1, 0] and np.isnan(track.boxes[1:]).all()
    x, y = (track.boxes[0, :2] + track.boxes[0, 2:]) / 2
    assert abs(x - 222) < 25 and abs(y - 120) < 30


def test_largest():
    assert largest(np.array([[0, 0, 2, 2], [5, 5, 9, 8]])).tolist() == [5, 5, 9, 8]
    assert np.isnan(largest(np.zeros((0, 4)))).all()


@pytest.mark.parametrize("spec", ["", "mediapipe", "mediapipe:", "cascade", "face", "tracker:file"])
def test_unknown_analyzers_are_refused(spec):
    with pytest.raises(ValueError, match="unknown face analyzer .*give 'faces'"):
        load_analyzer(spec)


def test_analyzers_are_named():
    assert load_analyzer("faces").name == "faces"
