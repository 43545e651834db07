"""What the benchmark of faces takes for true."""

import numpy as np
import pytest

from benchmarks.face_thresholds import threshold
from benchmarks.seeing import cascade
from benchmarks.seeing.conditions import CONDITIONS, View
from benchmarks.seeing.reference import Sight, load_sights, save_sights
from benchmarks.seeing.scores import compare, correlate
from benchmarks.seeing.seers import Seen
from benchmarks.seeing.textures import textures
from emo_modules.cues.box import Box
from emo_training.perception.mesh_points import ibug_points

MARKED = {"eye": 33, "chin": 152, "ear": 454}  # points of the mesh that are drawn as dots
COLOURS = {"eye": (250, 10, 250), "chin": (10, 250, 10), "ear": (10, 10, 250)}


@pytest.fixture
def view() -> View:
    """A grey picture with the mesh of a face in it, three of whose points can be seen."""
    rng = np.random.default_rng(0)
    mesh = rng.uniform((120, 100), (200, 220), (478, 2))
    mesh[[10, 152, 33, 454]] = (160, 100), (160, 220), (135, 150), (200, 160)
    picture = np.full((300, 280, 3), 128, np.uint8)
    for name, place in MARKED.items():
        x, y = mesh[place].astype(int)
        picture[y - 4 : y + 5, x - 4 : x + 5] = COLOURS[name]
    return View(picture, mesh)


def middle_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    rows, columns = np.nonzero(np.abs(picture.astype(int) - colour).max(-1) < 60)
    return np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize(
    "name", ["upright", "turned by 30", "turned by 90", "turned by 180", "a fifth of 4K"]
)
def test_what_is_true_moves_with_the_picture(view: View, name: str) -> None:
    made = CONDITIONS[name](view, np.random.default_rng(3))
    for mark, place in MARKED.items():
        assert made.mesh[place] == pytest.approx(middle_of(made.picture, COLOURS[mark]), abs=4)
    if name == "a fifth of 4K":
        assert made.picture.shape == (2160, 3840, 3) and made.box.height == pytest.approx(432, abs=3)


@pytest.mark.parametrize("seed", range(8))
def test_a_third_of_the_face_is_cut_off(view: View, seed: int) -> None:
    made = CONDITIONS["cut by the edge"](view, np.random.default_rng(seed))
    assert made.box.area == pytest.approx(2 / 3 * view.box.area, rel=0.03)
    assert not made.inside.all()


def test_a_face_that_is_seen_where_it_is_counts_as_found(view: View) -> None:
    points = ibug_points(view.mesh)
    near = compare(view, [Seen(Box(0, 0, 9, 9)), Seen(view.box.mapped(3, 0, 1, 1), points + (3, 4), 0.3)])
    eyes = np.linalg.norm(points[45] - points[36])
    assert near.found and near.error == pytest.approx(5 / eyes) and near.mouth_open == 0.3
    assert not compare(view, []).found
    assert compare(view, [Seen(Box(0, 0, 50, 50), points)]).error is None


def test_frames_without_a_face_do_not_count_for_r() -> None:
    assert correlate([1, None, 2, 3, 4], [2, 9, 4, 6, 8]) == 1
    assert correlate([1, None, 2], [2, 9, 4]) is None and correlate([1, 1, 1], [1, 2, 3]) is None


def test_a_reference_is_read_back(tmp_path) -> None:
    seen = Sight(np.ones((2, 478, 2)), np.zeros((2, 52)), np.zeros((2, 3)))
    nobody = Sight(np.full((1, 478, 2), np.nan), np.full((1, 52), np.nan), np.full((1, 3), np.nan))
    save_sights(tmp_path / "r.npz", {tmp_path / "a.mp4": seen, tmp_path / "b.png": nobody})
    loaded = load_sights(tmp_path / "r.npz")
    assert list(loaded) == [tmp_path / "a.mp4", tmp_path / "b.png"]
    assert loaded[tmp_path / "a.mp4"].seen.all() and not loaded[tmp_path / "b.png"].seen.any()


def test_the_cascade_finds_a_face_where_it_is() -> None:
    data = pytest.importorskip("skimage", reason="the cascade is scikit-image's").data
    found = cascade.search(data.astronaut())
    assert max(box.iou(Box(172, 56, 275, 165)) for box in found) > 0.8
    small = cascade.search(np.pad(data.astronaut(), ((900, 0), (0, 900), (0, 0))))
    assert max(box.mapped(0, -900, 1, 1).iou(Box(172, 56, 275, 165)) for box in small) > 0.7, "in a part"
    assert cascade.search(data.brick()[..., None].repeat(3, 2)) == []


def test_a_threshold_lets_one_false_face_pass_in_a_thousand_looks() -> None:
    scores = [0.9, 0.612, 0.5, 0.44]
    assert threshold(scores, 1000) == 0.62 and threshold(scores, 999) == 0.91
    assert threshold(scores, 2000) == 0.51 and threshold(scores[:1], 1000) == 0.21


def test_textures_are_all_different_and_always_the_same() -> None:
    (names, pictures), again = zip(*textures(2), strict=True), dict(textures(1))
    assert len(set(names)) == 16 and len({picture.tobytes() for picture in pictures}) == 16
    assert all(picture.shape == (384, 384, 3) for picture in pictures)
    assert all((picture == pictures[names.index(name)]).all() for name, picture in again.items())
