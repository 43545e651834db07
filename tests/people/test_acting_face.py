import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

from emo_people.acting.face import ACTIONS, INDEX, Expression, Pose


def test_an_expression_is_neutral_but_for_what_is_named() -> None:
    expression = Expression.of(gaze=(3.0, -2.0), jawOpen=0.5, tongueOut=1)
    assert expression.actions[INDEX["jawOpen"]] == 0.5
    assert expression.actions[INDEX["tongueOut"]] == 1
    assert expression.actions.sum() == 1.5
    assert expression.gaze == (3.0, -2.0)
    assert expression == Expression.of(tongueOut=1, jawOpen=0.5, gaze=(3.0, -2.0))
    assert expression != Expression.of(jawOpen=0.5)


def test_actions_are_in_the_order_of_the_head_model() -> None:
    package = importlib.util.find_spec("anny")
    if package is None:
        pytest.skip("anny is not installed")
    source = Path(str(package.origin)).parent / "models" / "facial_actions.py"
    table = re.search(r"FACIAL_ACTION_LABELS[^\[]*\[str\]\s*=\s*\[(.*?)\]", source.read_text(), re.DOTALL)
    assert table is not None
    assert tuple(re.findall(r'"(\w+)"', table[1])) == ACTIONS


def test_impossible_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="jawOpn"):
        Expression.of(jawOpn=0.5)
    with pytest.raises(ValueError, match=r"jawOpen=1\.5"):
        Expression.of(jawOpen=1.5)
    with pytest.raises(ValueError, match="jawOpen=nan"):
        Expression.of(jawOpen=math.nan)
    with pytest.raises(ValueError, match="52 float32"):
        Expression(np.zeros(51, np.float32))
    with pytest.raises(ValueError, match="gaze"):
        Expression.of(gaze=(math.nan, 0))
    with pytest.raises(ValueError, match="finite"):
        Pose(yaw=math.inf)
