"""Eyes, lids, lips and teeth of rendered people, seen in the pictures."""

from dataclasses import replace

import numpy as np
import pytest

from emo_people.acting.face import Expression, Pose
from emo_people.people.person import Person, random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import Studio

from .gl import drawn as drawn

CLOSE = Framing(160, 160, 2.0, 0.5, 0.2)
EYES = Framing(200, 100, 3.0, 0.5, 0.95)
PEOPLE = [random_person(seed) for seed in (1, 8, 25)]


def both(**actions: float) -> dict[str, float]:
    return {name + side: value for name, value in actions.items() for side in ("Left", "Right")}


SHUT = {
    "rest": {},
    "press": both(mouthPress=1.0),
    "pucker": {"mouthPucker": 1.0},
    "rolled": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "smile": both(mouthSmile=1.0),
    "frown": both(mouthFrown=1.0),
    "puff": {"cheekPuff": 1.0},
    "closed over an open jaw": {"jawOpen": 0.35, "mouthClose": 0.35},
}


def shown_teeth(studio: Studio, person: Person, expressions: list[Expression], pose: Pose) -> list[int]:
    """Pixels of each picture that change with the colour of the teeth and the gum."""
    green, red = (
        [studio.draw(painted, expression, pose, CLOSE) for expression in expressions]
        for painted in (
            replace(person, mouth=replace(person.mouth, teeth=colour, gums=colour))
            for colour in ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
        )
    )
    return [int((np.abs(a - b).max(-1) > 0.05).sum()) for a, b in zip(green, red, strict=True)]


@pytest.mark.parametrize(
    ("person", "pose"),
    zip(PEOPLE, (Pose(), Pose(25, 8, 0), Pose(-20, -6, 4)), strict=True),
    ids=["front", "right", "left"],
)
def test_shut_lips_hide_the_teeth_and_a_laugh_shows_them(drawn: Studio, person: Person, pose: Pose) -> None:
    laugh = {"jawOpen": 0.35, **both(mouthSmile=0.8, mouthUpperUp=0.5)}
    *shut, shown = shown_teeth(drawn, person, [Expression.of(**e) for e in (*SHUT.values(), laugh)], pose)
    assert shown > 120
    assert max(shut) <= 25, dict(zip(SHUT, shut, strict=True))


@pytest.mark.parametrize("gaze", [(0, 0), (25, 10), (-20, -15)])
def test_shut_lids_hide_the_eyes(drawn: Studio, gaze: tuple[float, float]) -> None:
    shut = Expression.of(gaze=gaze, **both(eyeBlink=1.0))
    for person in PEOPLE:
        assert drawn.regions(person, shut, Pose(), EYES).eyes.sum() <= 4, person.seed
        assert drawn.truth(person, shut, Pose(), EYES).eye_open.max() < 0.06


def test_each_eye_has_its_own_colour(drawn: Studio) -> None:
    """The first colour is the right eye's, on the viewer's left."""
    eyes = replace(PEOPLE[0].eyes, colours=((0.0, 0.0, 0.9), (0.0, 0.9, 0.0)), ring=(0.0, 0.0, 0.0))
    person = replace(PEOPLE[0], eyes=eyes)
    picture = drawn.draw(person, Expression.of(**both(eyeWide=1.0)), Pose(), EYES)
    blueness = picture[..., 2] - picture[..., 1]
    assert blueness[:, :100].max() > 0.02
    assert -blueness[:, 100:].min() > 0.02


def test_a_mole_is_seen_only_where_it_is(drawn: Studio) -> None:
    """And not along the outlines, where the size of a pixel on the skin cannot be told."""
    person, framing = PEOPLE[0], Framing(128, 128, 0.7, 0.5, 0.5)
    plain, marked = (
        drawn.draw(replace(person, skin=replace(person.skin, spots=spots)), Expression.of(), Pose(), framing)
        for spots in ((), ((0.3, 7.0, 0.02, 2.0),))
    )
    rows, columns = np.nonzero(np.abs(plain - marked).max(-1) > 0.02)
    assert 0 < len(rows) < 40
    assert np.ptp(rows) < 8 and np.ptp(columns) < 8
