"""Films looked at as papers on HDTF do, and who is seen in them."""

import json

import numpy as np
import pytest

from emo_modules.media.video import VideoWriter
from emo_training.cli import main
from emo_training.evaluation import instruments
from emo_training.evaluation.pairs import Video, find_pairs
from emo_training.evaluation.protocol import Protocol, central_square
from emo_training.perception.face_track import FaceTrack


def position(height: int, width: int) -> np.ndarray:
    """A frame whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)


@pytest.mark.parametrize(("height", "width", "left", "top"), [(60, 101, 20, 0), (100, 60, 0, 20)])
def test_the_square_lies_in_the_middle_and_keeps_its_pixels(height, width, left, top):
    square = central_square(position(height, width), 60)
    assert np.array_equal(square, position(height, width)[top : top + 60, left : left + 60])


def test_another_size_shows_the_same_view():
    frame = position(100, 200)
    for side in (50, 200):
        centre = (np.arange(side) + 0.5) * 100 / side - 0.5  # where a pixel's middle lies in the square
        square = central_square(frame, side).astype(float)
        inner = slice(side // 10, -side // 10)
        assert np.abs(square[0, inner, 0] - 50 - centre[inner]).max() < 1
        assert np.abs(square[inner, 0, 1] - centre[inner]).max() < 1


def test_hdtf_is_512_pixels_at_25_frames():
    protocol = Protocol(protocol="hdtf")
    assert protocol.side == 512 and "512 x 512, 25 frames" in str(protocol)
    assert Protocol().side is None and "as stored" in str(Protocol())
    with pytest.raises(ValueError, match="one of stored, hdtf"):
        Protocol(protocol="vfhq")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A wide true film at 50 fps and a small generated one at 25, of a fifth of a second."""
    root = tmp_path_factory.mktemp("films")
    for kind, width, height, rate in (("true", 320, 180, 50), ("generated", 64, 64, 25)):
        (root / kind).mkdir()
        with VideoWriter(root / kind / "a.mp4", width, height, rate, crf=1) as writer:
            for k in range(rate // 5):
                writer.write(np.full((height, width, 3), 40 + k * 500 // rate, np.uint8))
    return root


def test_both_films_are_looked_at_alike(folders):
    (pair,) = find_pairs(folders / "generated", folders / "true", Protocol(protocol="hdtf"))
    films = [np.stack(list(video.frames())) for video in (pair.generated, pair.true)]
    assert films[0].shape == films[1].shape == (5, 512, 512, 3)
    assert np.abs(films[0].mean((1, 2, 3)) - films[1].mean((1, 2, 3))).max() < 3
    assert pair.true.size == (512, 512) and pair.true.stored_size == (320, 180)


class Blind:
    """Sees no face, at once."""

    name = "blind"

    def analyze(self, frames):
        count = len(list(frames))
        unknown = [np.full((count, width), np.nan, np.float32) for width in (4, 3, 4)]
        return FaceTrack(np.zeros(count, np.int64), *unknown[:2], openings=unknown[2])


def test_the_report_says_how_films_were_looked_at(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(instruments, "load_analyzer", lambda spec: Blind())
    films = [str(folders / kind) for kind in ("generated", "true")]
    assert main(["evaluate", "videos", *films, "--out", str(tmp_path / "r"), "--protocol", "hdtf"]) == 0
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["settings"]["looked at"].startswith("central square at 512 x 512, 25 frames")
    assert report["clips"][0]["true"]["size"] == [320, 180]
    assert list(Video(tmp_path / "r" / "videos" / "a.mp4").frames())[0].shape[0] == 512


def test_people_are_known_by_a_table(folders, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("person,name\nanna,a\nbert,b\n")
    (pair,) = find_pairs(folders / "generated", folders / "true", Protocol(people=table))
    assert pair.person == "anna"
    table.write_text("clip,who\na,anna\n")
    with pytest.raises(ValueError, match="columns name and person in its first line, found: clip, who"):
        find_pairs(folders / "generated", folders / "true", Protocol(people=table))
