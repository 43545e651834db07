import numpy as np
import pytest

from emo_people.acting.face import INDEX
from emo_people.acting.mouth import speak
from emo_people.acting.visemes import VISEMES, lip_parting
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech

FPS = 25.0


def say(*sounds: tuple[str, float]) -> Speech:
    edges = np.cumsum([0.0] + [seconds for _, seconds in sounds])
    phonemes = tuple(Phoneme(s, a, b) for (s, _), a, b in zip(sounds, edges[:-1], edges[1:], strict=True))
    return Speech(np.full(round(edges[-1] * SAMPLE_RATE), 0.1, np.float32), phonemes)


def frames_of(speech: Speech, frames: int, fps: float = FPS) -> np.ndarray:
    return speak(speech, (np.arange(frames) + 0.5) / fps, fps)


@pytest.mark.parametrize("shift", np.linspace(0, 0.04, 9))
@pytest.mark.parametrize("closure", ["b", "m", "p"])
def test_lips_close_whatever_the_phase_of_the_frames(closure: str, shift: float) -> None:
    speech = say(("pau", 0.2 + shift), ("aa", 0.16), (closure, 0.04), ("aa", 0.16), ("pau", 0.3))
    parting = lip_parting(frames_of(speech, 22))
    centre = int((0.38 + shift) * FPS)
    assert parting[centre - 1 : centre + 2].min() < 0.01
    assert parting[centre - 4 : centre].max() > 0.4
    assert parting[centre + 1 : centre + 5].max() > 0.4


def test_the_lip_meets_the_teeth_between_open_vowels() -> None:
    speech = say(("pau", 0.2), ("ae", 0.16), ("f", 0.1), ("ae", 0.16), ("pau", 0.3))
    actions = frames_of(speech, 22)
    assert lip_parting(actions[10]) < 0.14
    assert actions[10, INDEX["mouthRollLower"]] > 0.45


def test_vowels_reach_their_shapes_and_silence_shuts_the_mouth() -> None:
    speech = say(("pau", 0.4), ("iy", 0.3), ("s", 0.1), ("uw", 0.3), ("pau", 0.4))
    actions = frames_of(speech, 37)
    for frame, symbol, name in ((13, "iy", "mouthStretchLeft"), (24, "uw", "mouthPucker")):
        assert actions[frame, INDEX[name]] == pytest.approx(VISEMES[symbol].actions[name], abs=0.05)
    assert actions[[2, 36]].max() < 0.01
    assert np.abs(np.diff(actions, axis=0)).max() < 0.5


def test_the_lips_round_before_a_rounded_sound() -> None:
    actions = frames_of(say(("pau", 0.3), ("s", 0.3), ("uw", 0.3), ("pau", 0.3)), 120, 100.0)
    first = np.flatnonzero(actions[:, INDEX["mouthPucker"]] > 0.1)[0] / 100
    assert 0.45 < first < 0.58


def test_louder_vowels_open_more() -> None:
    speech = say(("pau", 0.2), ("eh", 0.2), ("pau", 0.2), ("eh", 0.2), ("pau", 0.2))
    waveform = speech.waveform.copy()
    waveform[: len(waveform) // 2] *= 0.2
    jaw = frames_of(Speech(waveform, speech.phonemes), 25)[:, INDEX["jawOpen"]]
    assert jaw[17] > 1.1 * jaw[7]


def test_actions_stay_in_range_whatever_is_said() -> None:
    assert frames_of(Speech(np.zeros(0, np.float32), ()), 3).max() == 0
    rng = np.random.default_rng(0)
    sounds = [(str(symbol), rng.uniform(0.03, 0.15)) for symbol in rng.permutation(list(VISEMES))]
    actions = frames_of(say(*sounds), 200)
    assert 0 <= actions.min() <= actions.max() <= 1
