import numpy as np
import pytest

from emo_people.acting.face import ACTIONS, Expression
from emo_people.acting.visemes import GLIDES, SHAPES, VISEMES, Viseme, hold_lips, lip_parting, segments
from emo_people.speech.alphabet import IPA, PHONEMES, VOWELS
from emo_people.speech.synthesis import Phoneme


def amount(symbol: str, *actions: str) -> float:
    return sum(VISEMES[symbol].actions.get(action, 0) for action in actions)


def test_every_phoneme_has_a_viseme_and_every_shape_a_phoneme() -> None:
    assert set(VISEMES) == set(PHONEMES)
    assert {id(viseme) for viseme in VISEMES.values()} == {id(shape) for shape in SHAPES.values()}
    assert len({tuple(sorted(shape.actions.items())) for shape in SHAPES.values()}) == len(SHAPES) >= 20


def test_no_two_phonemes_are_the_same_sound() -> None:
    assert len(set(IPA.values())) == len(IPA)


@pytest.mark.parametrize("symbol", ["b", "m", "p"])
def test_lips_shut_whatever_the_neighbours_do(symbol: str) -> None:
    assert VISEMES[symbol].lips_apart == 0
    assert amount(symbol, "mouthPressLeft", "mouthPressRight") > 0.5
    assert VISEMES[symbol].strength > 2 * max(VISEMES[vowel].strength for vowel in VOWELS)


@pytest.mark.parametrize("symbol", ["f", "v"])
def test_the_lower_lip_meets_the_upper_teeth(symbol: str) -> None:
    assert amount(symbol, "mouthRollLower") > 0.5
    assert amount(symbol, "mouthUpperUpLeft") > 0.2
    assert VISEMES[symbol].lips_apart < 0.2


def test_lips_round_for_rounded_sounds_and_spread_for_spread_ones() -> None:
    def rounding(symbol: str) -> float:
        return amount(symbol, "mouthPucker", "mouthFunnel") - amount(
            symbol, "mouthStretchLeft", "mouthSmileLeft"
        )

    rounded = ["uw", "uw~", "ue", "o", "oe", "w", "w;", "sh", "zh", "ch", "xw"]
    spread = ["iy", "iy~", "e", "eh", "ae", "s", "y", "x;"]
    assert min(map(rounding, rounded)) > 0.5
    assert max(map(rounding, spread)) < -0.2


def test_the_jaw_falls_from_close_to_open_vowels() -> None:
    for ladder in (("iy", "ih", "eh", "ae", "a"), ("uw", "uh", "o", "ao", "aa"), ("ue", "oe", "oeh")):
        heights = [amount(symbol, "jawOpen") for symbol in ladder]
        assert heights == sorted(heights)
        assert len(set(heights)) == len(heights)


def test_the_tongue_shows_only_between_the_teeth() -> None:
    tongue = {symbol: amount(symbol, "tongueOut") for symbol in PHONEMES}
    assert {symbol for symbol, out in tongue.items() if out} == {"th", "dh", "l", "lh"}
    assert tongue["th"] > 2 * tongue["l"]


def test_a_diphthong_turns_into_its_end() -> None:
    phonemes = (Phoneme("m", 0.0, 0.1), Phoneme("aw", 0.1, 0.3), Phoneme("s", 0.3, 0.4))
    parts = list(segments(phonemes))
    assert [part[0] for part in parts] == [VISEMES[symbol] for symbol in ("m", "aw", "uh", "s")]
    assert [end for _, _, end in parts[:-1]] == [start for _, start, _ in parts[1:]]
    assert set(GLIDES) <= VOWELS


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_keeps_its_own_limit(name: str) -> None:
    shape = SHAPES[name]
    assert lip_parting(Expression.of(**shape.actions).actions) <= shape.lips_apart


def test_lips_are_held_together_over_an_open_jaw() -> None:
    wide = Expression.of(jawOpen=0.6, mouthLowerDownLeft=0.3, mouthLowerDownRight=0.3).actions
    held = hold_lips(np.stack([wide, wide, wide]), np.array([0.0, 0.12, 1.0]))
    assert lip_parting(held) == pytest.approx(np.array([0, 0.12, lip_parting(wide)]), abs=1e-6)
    assert np.array_equal(held[2], wide)
    changed = [name for name, before, after in zip(ACTIONS, wide, held[0], strict=True) if before != after]
    assert changed == ["mouthClose"]


def test_the_mouth_rests_in_long_pauses_only() -> None:
    spans = (("pau", 0.0, 0.2), ("a", 0.2, 0.3), ("pau", 0.3, 0.34), ("n", 0.34, 0.4))
    shapes = [shape for shape, _, _ in segments(Phoneme(*span) for span in spans)]
    assert shapes == [SHAPES["rest"], VISEMES["a"], SHAPES["breath"], VISEMES["n"]]


def test_a_shape_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no facial action is called mouthOpen"):
        Viseme({"mouthOpen": 0.5})
    with pytest.raises(ValueError, match="lie in 0..1.*jawOpen': 1.5"):
        Viseme({"jawOpen": 1.5})
