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


def shown_teeth(studio: Studio, person: Person, expression: Expression, pose: Pose) -> int:
    """Pixels that change with the colour of the teeth and the gum."""
    green, red = (
        replace(person, mouth=replace(person.mouth, teeth=colour, gums=colour))
        for colour in ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    )
    first, second = (studio.draw(someone, expression, pose, CLOSE) for someone in (green, red))
    return int((np.abs(first - second).max(-1) > 0.05).sum())


@pytest.mark.parametrize("name", SHUT)
def test_shut_lips_hide_the_teeth(drawn: Studio, name: str) -> None:
    for person in PEOPLE:
        for pose in (Pose(), Pose(25, 8, 0)):
            assert shown_teeth(drawn, person, Expression.of(**SHUT[name]), pose) <= 25, person.seed


def test_a_laugh_shows_them(drawn: Studio) -> None:
    laugh = Expression.of(jawOpen=0.35, **both(mouthSmile=0.8, mouthUpperUp=0.5))
    assert all(shown_teeth(drawn, person, laugh, Pose()) > 300 for person in PEOPLE)


@pytest.mark.parametrize("gaze", [(0, 0), (25, 10), (-20, -15)])
def test_shut_lids_hide_the_eyes(drawn: Studio, gaze: tuple[float, float]) -> None:
    shut = Expression.of(gaze=gaze, **both(eyeBlink=1.0))
    for person in PEOPLE:
        assert drawn.regions(person, shut, Pose(), EYES).eyes.sum() <= 4, person.seed
        assert drawn.truth(person, shut, Pose(), EYES).eye_open.max() < 0.03


def test_each_eye_has_its_own_colour(drawn: Studio) -> None:
    """The first colour is the right eye's, on the viewer's left."""
    eyes = replace(PEOPLE[0].eyes, colours=((0.0, 0.0, 0.9), (0.0, 0.9, 0.0)), ring=(0.0, 0.0, 0.0))
    person = replace(PEOPLE[0], eyes=eyes)
    picture = drawn.draw(person, Expression.of(**both(eyeWide=1.0)), Pose(), EYES)
    blueness = picture[..., 2] - picture[..., 1]
    assert blueness[:, :100].max() > 0.02
    assert -blueness[:, 100:].min() > 0.02
