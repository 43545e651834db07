"""Whether people can be drawn here, and one studio for all tests of a process."""

from functools import cache

import pytest

from emo_people.people.mesh import CannotDraw
from emo_people.rendering.studio import Studio


def _missing() -> str:
    try:
        studio()
    except CannotDraw as error:
        return str(error)
    return ""


@cache
def studio() -> Studio:
    return Studio()


@cache
def why_not() -> str:
    """What is missing to draw people; "" when nothing is."""
    return _missing()


@pytest.fixture(scope="session")
def drawn() -> Studio:
    """The studio; skips where there is no OpenGL."""
    if why_not():
        pytest.skip(why_not())
    return studio()
