import numpy as np
import torch

from emo_modules.cues.box import Box
from emo_modules.cues.face_reader import Reading
from emo_modules.cues.pyramid import FoundFace
from emo_modules.cues.squares import Squares
from emo_training.perception.faces import STRIDE, PeopleAnalyzer

FIVE = np.array([[-31.0, 0], [31, 0], [0, 40], [-25, 68], [25, 68]])


def face(x: float, size: float = 1.0) -> FoundFace:
    box = Box(x - 75 * size, 148 - 75 * size, x + 75 * size, 148 + 110 * size)
    return FoundFace(box, 0.9, FIVE * size + (x, 148))


class Reader:
    """Reads where it is told to look: the middle of the square, and the frame's number as yaw."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float, int]] = []

    def read(self, picture: torch.Tensor, square: Squares, looks: int = 2) -> Reading:
        number, (x, y) = int(picture[0, 0, 0]), square.centres[0].tolist()
        self.asked.append((number, round(x), looks))
        half = float(square.sides[0]) / 3
        landmarks = torch.tensor([[x, y]]).expand(68, 2).clone()
        # eyes and mouth such that the next square is the same one
        unit = float(square.sides[0]) / 235
        for points, place in zip(((36, 42), (42, 48), (30, 31), (48, 49), (54, 55)), FIVE, strict=True):
            landmarks[slice(*points)] = torch.tensor([x, y]) + unit * torch.tensor(place - (0, 46)).float()
        return Reading(
            landmarks, landmarks[:2], Box(x - half, y - half, x + half, y + half),
            float(number), 2.0, 3.0, 0.1, 0.6, (0.11, 0.12),
        )  # fmt: skip


def analyzer(seen) -> tuple[PeopleAnalyzer, Reader, list[int]]:
    """`seen` says which faces are in frame k."""
    looks: list[int] = []

    def find(frame: np.ndarray) -> list[FoundFace]:
        looks.append(int(frame[0, 0, 0]))
        return seen(looks[-1])

    reader = Reader()
    return PeopleAnalyzer(find, reader), reader, looks


def numbered(count: int) -> list[np.ndarray]:
    return [np.full((8, 8, 3), k, np.uint8) for k in range(count)]


def test_faces_are_looked_for_now_and_then_and_read_in_every_frame():
    people, reader, looks = analyzer(lambda k: [face(100)])
    track = people.analyze(iter(numbered(2 * STRIDE + 3)))
    assert looks == [0, STRIDE, 2 * STRIDE, 2 * STRIDE + 2]
    assert track.counts.tolist() == [1] * 13
    assert track.rotations[:, 0].tolist() == list(range(13)) and (track.rotations[:, 1:] == (2, 3)).all()
    assert track.landmarks.shape == (13, 68, 2) and np.isfinite(track.boxes).all()
    assert np.allclose(track.openings, (0.1, 0.6, 0.11, 0.12))
    assert [looks for _, _, looks in reader.asked] == [2] + 12 * [1], "a face that is followed needs one look"


def test_the_largest_face_is_the_main_one_and_all_count():
    people, _, _ = analyzer(lambda k: [face(60, 0.3), face(140)])
    track = people.analyze(numbered(3))
    assert track.counts.tolist() == [2, 2, 2]
    assert ((track.boxes[:, 0] + track.boxes[:, 2]) / 2 > 130).all()


def test_a_face_elsewhere_is_another_one():
    people, reader, _ = analyzer(lambda k: [face(100 if k < STRIDE else 500)])
    track = people.analyze(numbered(STRIDE + 1))
    assert reader.asked[-1] == (STRIDE, 500, 2)
    assert track.boxes[-1, 0] > 400


def test_without_a_face_every_frame_is_looked_at_until_one_comes():
    people, _, looks = analyzer(lambda k: [face(100)] if k >= 2 else [])
    track = people.analyze(numbered(STRIDE))
    assert looks == [0, 1, 2, STRIDE - 1]
    assert track.counts.tolist() == [0, 0, 1, 1, 1]
    assert np.isnan(track.boxes[:, 0]).tolist() == [True, True, False, False, False]


def test_a_face_must_be_found_on_both_sides_of_a_frame():
    people, _, _ = analyzer(lambda k: [] if k == STRIDE else [face(100)])
    track = people.analyze(numbered(STRIDE + 2))
    assert np.isfinite(track.boxes[0]).all() and np.isnan(track.boxes[1 : STRIDE + 1]).all()
    assert np.isfinite(track.boxes[STRIDE + 1]).all()


def test_a_second_face_is_counted_on_both_sides_of_the_look():
    people, _, _ = analyzer(lambda k: [face(140)] + [face(60, 0.3)] * (k == STRIDE))
    track = people.analyze(numbered(2 * STRIDE + 2))
    assert track.counts.tolist() == [1] + [2] * (2 * STRIDE - 1) + [1, 1]


def test_no_frames_give_an_empty_track():
    people, _, _ = analyzer(lambda k: [])
    track = people.analyze([])
    assert len(track) == 0 and track.boxes.shape == (0, 4) and track.landmarks.shape == (0, 68, 2)
