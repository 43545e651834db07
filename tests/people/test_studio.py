"""The truth of rendered people: it is checked against the pictures, or against what was asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from emo_people.acting.face import Expression, Pose
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import act, aim, body_of

from .gl import drawn as drawn

FRAMING = Framing(192, 192, 0.6, 0.5, 0.5)
NEUTRAL, FRONT = Expression.of(), Pose()
PEOPLE = [random_person(seed) for seed in (3, 14, 159)]


@pytest.fixture(params=PEOPLE, ids=lambda person: str(person.seed))
def person(request):
    return request.param


def test_a_picture_follows_from_its_numbers(drawn, person):
    first = drawn.photograph(person, Expression.of(jawOpen=0.4), Pose(10, 3, -4), FRAMING, frame=7)
    other = drawn.photograph(PEOPLE[0 if person != PEOPLE[0] else 1], NEUTRAL, FRONT, FRAMING)
    # One context a process: another studio would draw into this one's.
    again = drawn.photograph(
        random_person(person.seed), Expression.of(jawOpen=0.4), Pose(10, 3, -4), FRAMING, frame=7
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_head_turns_as_asked(drawn, person):
    truth = drawn.truth(person, Expression.of(jawOpen=0.7), Pose(31, -12, 7), FRAMING)
    assert (truth.yaw, truth.pitch, truth.roll) == pytest.approx((31, -12, 7), abs=0.01)


def test_turning_moves_the_nose_as_the_viewer_sees_it(drawn, person):
    points = {
        pose: drawn.truth(person, NEUTRAL, pose, FRAMING).five
        for pose in (FRONT, Pose(yaw=20), Pose(pitch=20), Pose(roll=20))
    }
    nose, eyes = 2, slice(0, 2)

    def ahead(pose: Pose) -> np.ndarray:
        return points[pose][nose] - points[pose][eyes].mean(0)

    assert ahead(Pose(yaw=20))[0] > ahead(FRONT)[0] + 3
    assert ahead(Pose(pitch=20))[1] > ahead(FRONT)[1] + 2
    left, right = points[Pose(roll=20)][eyes]
    assert np.degrees(np.arctan2(*(right - left)[::-1])) == pytest.approx(20, abs=4)


def test_the_mouth_opens_with_the_jaw(drawn, person):
    opening = [
        drawn.truth(person, Expression.of(jawOpen=j), FRONT, FRAMING).mouth_open for j in (0, 0.3, 0.9)
    ]
    assert opening[0] < 0.05 and opening[1] > opening[0] + 0.05 and opening[2] > opening[1] + 0.15


def test_lengths_on_the_head_do_not_change_with_the_view(drawn, person):
    expression = Expression.of(jawOpen=0.5, mouthSmileLeft=0.5)
    front, turned = (drawn.truth(person, expression, pose, FRAMING) for pose in (FRONT, Pose(40, 15, 20)))
    for name in ("mouth_open", "mouth_width", "eye_open"):
        assert getattr(front, name) == pytest.approx(getattr(turned, name), rel=0.01)


def test_pursed_and_spread_lips_differ_in_width(drawn, person):
    pursed, rest, spread = (
        drawn.truth(person, Expression.of(**actions), FRONT, FRAMING).mouth_width
        for actions in ({"mouthPucker": 1.0}, {}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0})
    )
    assert pursed < 0.9 * rest < 0.95 * spread


def test_lids_close_on_a_blink(drawn, person):
    closed = Expression.of(eyeBlinkLeft=1, eyeBlinkRight=0)
    right, left = drawn.truth(person, closed, FRONT, FRAMING).eye_open
    assert left < 0.04 < 0.06 < right


def test_landmarks_lie_where_the_regions_are(drawn, person):
    expression, pose = Expression.of(jawOpen=0.4), Pose(5, 3, 2)
    truth, regions = (f(person, expression, pose, FRAMING) for f in (drawn.truth, drawn.regions))

    def near(mask: np.ndarray, points: np.ndarray, reach: int) -> np.ndarray:
        rows, columns = np.nonzero(mask)
        gaps = np.hypot(columns + 0.5 - points[:, :1], rows + 0.5 - points[:, 1:])
        return gaps.min(1) < reach

    assert near(regions.lips, truth.landmarks[48:60], 6).all()
    assert near(regions.eyes, truth.irises, 2).all()
    x0, y0, x1, y1 = truth.face_box
    rows, columns = np.nonzero(regions.face)
    assert (columns >= x0 - 1).mean() > 0.99 and (columns <= x1 + 1).mean() > 0.99
    assert (rows >= y0 - 1).mean() > 0.99 and (rows <= y1 + 1).mean() > 0.99


def test_the_portrait_moved_by_the_displacement_is_the_frame(drawn, person):
    first, second = (NEUTRAL, FRONT), (Expression.of(jawOpen=0.2), Pose(6, 3, 2, 0.03))
    back = drawn.displacement(person, first, second, FRAMING)
    # The light alone: a camera's noise is not what moves.
    portrait, frame = (drawn.draw(person, *moment, FRAMING)[..., :3].clip(0, 1) for moment in (first, second))
    moved = move(portrait, back.field)
    skin = drawn.regions(person, *second, FRAMING).face & ~back.hidden
    error = ((moved - frame) ** 2)[skin].mean()
    unmoved = ((portrait - frame) ** 2)[skin].mean()
    assert -10 * np.log10(error) > 28 and error < 0.5 * unmoved


def test_what_opens_was_hidden(drawn, person):
    """The mouth's inside and what the head uncovers are not in the portrait; the forehead is."""
    second = Expression.of(jawOpen=0.8), Pose(20)
    back = drawn.displacement(person, (NEUTRAL, FRONT), second, FRAMING)
    truth = drawn.truth(person, *second, FRAMING)
    inside, forehead = truth.landmarks[[62, 66]].mean(0), truth.landmarks[[21, 22]].mean(0) - [0, 8]
    hidden = [bool(back.hidden[int(y), int(x)]) for x, y in (inside, forehead)]
    assert hidden == [True, False] and 0.01 < back.hidden.mean() < 0.3


def test_no_displacement_between_equal_moments(drawn, person):
    back = drawn.displacement(person, (NEUTRAL, FRONT), (NEUTRAL, FRONT), FRAMING)
    assert np.abs(back.field).max() < 0.2 and back.hidden.mean() < 0.01


def test_a_displacement_does_not_depend_on_what_was_drawn_before(drawn, person):
    """What the studio keeps of a moment and of a first picture is that of this person."""
    moments = (NEUTRAL, FRONT), (Expression.of(jawOpen=0.4), Pose(10))
    one = drawn.displacement(person, *moments, FRAMING)
    drawn.displacement(random_person(person.seed + 1), *moments, FRAMING)
    drawn.photograph(person, *moments[1], FRAMING)
    other = drawn.displacement(person, *moments, FRAMING)
    assert (one.field == other.field).all() and (one.hidden == other.hidden).all()
    nearer = drawn.displacement(person, *moments, replace(FRAMING, face=0.8))
    assert np.abs(nearer.field).max() > 1.1 * np.abs(one.field).max()


def test_faces_are_where_the_framing_puts_them(drawn, person):
    for framing in (Framing(320, 180, 0.3, 0.2, 0.6), Framing(200, 300, 0.9, 0.6, 0.4)):
        x0, y0, x1, y1 = drawn.truth(person, NEUTRAL, FRONT, framing).face_box
        assert (y1 - y0) / framing.height == pytest.approx(framing.face, rel=0.1)
        assert (x0 + x1) / 2 / framing.width == pytest.approx(framing.x, abs=0.02)
        assert (y0 + y1) / 2 / framing.height == pytest.approx(framing.y, abs=0.03)


def test_projection_agrees_with_the_drawing(drawn, person):
    """The person's outline from the vertices is that of the picture."""
    view = aim(body_of(person.shape), FRAMING)
    body = body_of(person.shape)
    vertices = act(body, NEUTRAL, Pose(25), FRAMING.distance).vertices[body.mesh.vertices_of("skin")]
    x, y = view.project(vertices[vertices[:, 1] > body.face_box[0][1]]).T
    seen = np.nonzero(drawn.regions(person, NEUTRAL, Pose(25), FRAMING).face)
    assert seen[1].min() + 0.5 >= x.min() - 1 and seen[1].max() + 0.5 <= x.max() + 1
    assert seen[0].min() + 0.5 >= y.min() - 1


@pytest.mark.parametrize("values", [{"width": 8}, {"face": 0.0}, {"distance": 1.0}, {"height": 9000}])
def test_impossible_framings_are_refused(values):
    with pytest.raises(ValueError, match="must be"):
        Framing(**values)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ValueError, match=r"0\.\.4294967295"):
        random_person(seed)


def move(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) with each pixel taken from where the field (H, W, 2) leads, in px."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width] + 0.5
    grid = np.stack([(columns + field[..., 0]) * 2 / width - 1, (rows + field[..., 1]) * 2 / height - 1], -1)
    moved = F.grid_sample(
        torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float(),
        torch.from_numpy(grid)[None].float(),
        align_corners=False,
        padding_mode="border",
    )
    return moved[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("pitch", [-15, 0, 15])
def test_the_face_ends_at_the_chin(drawn, person, pitch):
    """Not below it, where a raised head shows more."""
    truth = drawn.truth(person, NEUTRAL, Pose(pitch=pitch), FRAMING)
    height = truth.face_box[3] - truth.face_box[1]
    assert truth.landmarks[:17, 1].max() == pytest.approx(float(truth.face_box[3]), abs=0.08 * float(height))
