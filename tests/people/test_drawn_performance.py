import numpy as np
import pytest

from emo_people.drawing.performance import (
    PITCH_LIMIT,
    ROLL_LIMIT,
    VISEMES,
    YAW_LIMIT,
    Performance,
    head_speed,
    loudness,
    mouth_curves,
    perform,
)
from emo_people.speech.alphabet import ENGLISH_PHONEMES, VOWELS
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech

FPS = 25.0


def babble(seconds: float = 6.0, seed: int = 0) -> Speech:
    """Speech that needs no synthesizer: loud vowels, soft consonants, silent pauses."""
    rng = np.random.default_rng(seed)
    phonemes: list[Phoneme] = [Phoneme("pau", 0.0, 0.2)]
    while phonemes[-1].end < seconds:
        vowels = sorted(VOWELS & set(ENGLISH_PHONEMES))
        consonants = [symbol for symbol in ENGLISH_PHONEMES if symbol not in VOWELS]
        symbol = str(rng.choice(vowels if len(phonemes) % 2 else consonants))
        phonemes.append(Phoneme(symbol, phonemes[-1].end, phonemes[-1].end + rng.uniform(0.05, 0.16)))
    waveform = rng.standard_normal(round(phonemes[-1].end * SAMPLE_RATE)) * 0.01
    for phoneme in phonemes:
        gain = rng.uniform(10, 20) if phoneme.symbol in VOWELS else 3.0 * (phoneme.symbol != "pau")
        waveform[round(phoneme.start * SAMPLE_RATE) : round(phoneme.end * SAMPLE_RATE)] *= gain
    return Speech(waveform.astype(np.float32), tuple(phonemes))


def act(speed: float, seed: int = 0, frames: int = 150, speech: Speech | None = None) -> Performance:
    return perform(speech or babble(), frames, FPS, speed, np.random.default_rng(seed))


def say(*sounds: tuple[str, float]) -> Speech:
    edges = np.cumsum([0.0] + [seconds for _, seconds in sounds])
    phonemes = tuple(Phoneme(s, a, b) for (s, _), a, b in zip(sounds, edges[:-1], edges[1:], strict=True))
    return Speech(np.full(round(edges[-1] * SAMPLE_RATE), 0.1, np.float32), phonemes)


def test_every_phoneme_has_a_viseme() -> None:
    assert set(VISEMES) == set(ENGLISH_PHONEMES)


@pytest.mark.parametrize("shift", np.linspace(0, 0.04, 9))
def test_lips_close_for_m_whatever_its_phase(shift: float) -> None:
    speech = say(("pau", 0.2 + shift), ("aa", 0.16), ("m", 0.04), ("aa", 0.16), ("pau", 0.3))
    opening, _ = mouth_curves(speech, 22, FPS)
    centre = int((0.38 + shift) * FPS)
    assert opening[centre - 1 : centre + 2].min() < 0.08
    assert opening[centre - 4 : centre].max() > 0.7
    assert opening[centre + 1 : centre + 5].max() > 0.7


def test_vowels_reach_their_shapes_and_pauses_close() -> None:
    speech = say(("pau", 0.4), ("iy", 0.3), ("s", 0.1), ("uw", 0.3), ("pau", 0.4))
    opening, width = mouth_curves(speech, 37, FPS)
    assert width[13] == pytest.approx(0.95, abs=0.05)
    assert width[24] == pytest.approx(0.05, abs=0.05)
    assert opening[[2, 36]].max() < 0.02
    assert np.abs(np.diff(opening)).max() < 0.5


def test_the_mouth_anticipates() -> None:
    opening, _ = mouth_curves(say(("pau", 0.4), ("aa", 0.3), ("pau", 0.3)), 100, 100.0)
    first = np.flatnonzero(opening > 0.1)[0] / 100
    assert 0.3 < first < 0.39


def test_louder_vowels_open_more() -> None:
    speech = say(("pau", 0.2), ("eh", 0.2), ("pau", 0.2), ("eh", 0.2), ("pau", 0.2))
    waveform = speech.waveform.copy()
    waveform[: len(waveform) // 2] *= 0.5
    opening, _ = mouth_curves(Speech(waveform, speech.phonemes), 25, FPS)
    assert opening[17] > 1.1 * opening[7]


def test_opening_follows_loudness() -> None:
    speech = babble()
    assert np.corrcoef(act(10, speech=speech).mouth_open, loudness(speech, 150, FPS))[0, 1] > 0.3


@pytest.mark.parametrize("speed", [1.0, 5.0, 15.0, 30.0])
def test_mean_head_speed_is_the_requested_one(speed: float) -> None:
    for seed in range(5):
        acted = act(speed, seed)
        measured = head_speed(acted.yaw, acted.pitch, acted.roll, FPS)
        assert measured.mean() == pytest.approx(speed, rel=0.1)
        assert np.allclose(acted.speed, measured, atol=0.01)


def test_a_still_head_is_still_and_near_frontal() -> None:
    acted = act(0.0)
    assert acted.speed.max() == 0
    assert np.ptp(acted.yaw) == np.ptp(acted.pitch) == np.ptp(acted.roll) == 0
    assert max(abs(acted.yaw[0]), abs(acted.pitch[0]), abs(acted.roll[0])) <= 4
    assert acted.yaw[0] != act(0.0, seed=1).yaw[0]


@pytest.mark.parametrize("speed", [10.0, 45.0])
def test_motion_stays_in_limits_and_slow(speed: float) -> None:
    for seed in range(5):
        acted = act(speed, seed)
        for curve, limit in ((acted.yaw, YAW_LIMIT), (acted.pitch, PITCH_LIMIT), (acted.roll, ROLL_LIMIT)):
            assert np.abs(curve).max() <= limit
            power = np.abs(np.fft.rfft((curve - curve.mean()) * np.hanning(len(curve)))) ** 2
            assert power[np.fft.rfftfreq(len(curve), 1 / FPS) > 1.8].sum() < 0.05 * power.sum()


def test_most_of_the_motion_is_the_speech() -> None:
    def agreement(first: Performance, second: Performance) -> float:
        axes = ("yaw", "pitch", "roll")
        return float(np.mean([np.corrcoef(getattr(first, a), getattr(second, a))[0, 1] for a in axes]))

    same = [agreement(act(8, seed), act(8, seed + 50)) for seed in range(6)]
    other = [agreement(act(8, seed), act(8, seed + 50, speech=babble(seed=seed + 9))) for seed in range(6)]
    assert np.mean(same) > 0.55
    assert abs(np.mean(other)) < 0.3


def test_the_same_seed_gives_the_same_performance() -> None:
    first, second = act(12, 4), act(12, 4)
    assert all(np.array_equal(value, second.__dict__[name]) for name, value in first.__dict__.items())


def test_curves_have_their_ranges_at_any_length() -> None:
    for frames in (1, 2, 7, 400):
        acted = act(20, frames=frames)
        curves = {name: value for name, value in acted.__dict__.items() if name != "fps"}
        assert all(c.shape == (frames,) and c.dtype == np.float32 for c in curves.values())
        assert all(np.isfinite(c).all() for c in curves.values())
        for name in ("mouth_open", "mouth_width", "blink"):
            assert 0 <= curves[name].min() <= curves[name].max() <= 1
        assert np.abs(acted.brow).max() <= 1
        assert max(np.abs(acted.x).max(), np.abs(acted.y).max()) < 0.02


def test_blinks_come_every_three_seconds() -> None:
    speech, count = babble(60), 0
    for seed in range(5):
        blink = act(5, seed, 1500, speech).blink
        starts = np.flatnonzero((blink[1:] > 0.05) & (blink[:-1] <= 0.05))
        count += len(starts)
        assert blink.max() > 0.9
    assert 15 <= count / 5 <= 25


def test_speed_of_a_known_turn() -> None:
    yaw = np.arange(5) * 2.0
    assert np.allclose(head_speed(yaw, np.zeros(5), np.zeros(5), FPS), 50.0)
    assert np.allclose(head_speed(np.zeros(1), np.zeros(1), np.zeros(1), FPS), 0.0)


def test_silence_and_bad_requests() -> None:
    silent = Speech(np.zeros(SAMPLE_RATE, np.float32), (Phoneme("pau", 0.0, 1.0),))
    acted = act(10, frames=50, speech=silent)
    assert acted.mouth_open.max() == 0
    assert acted.speed.mean() == pytest.approx(10, rel=0.1)
    with pytest.raises(ValueError, match="0..45"):
        act(50)
