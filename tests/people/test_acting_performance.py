from functools import partial

import numpy as np
import pytest

from emo_people.acting import eyes
from emo_people.acting.face import ACTIONS, INDEX, Expression, Pose
from emo_people.acting.head import ROOM
from emo_people.acting.hearing import LOOK_AHEAD
from emo_people.acting.performance import Performance, perform
from emo_people.speech.alphabet import PHONEMES, VOWELS
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech
from emo_training.perception.pose import head_speed

FPS = 25.0
START = Pose(8, -3, 2, 0.1, -0.05)
CURVES = ("actions", "gaze", "yaw", "pitch", "roll", "x", "y", "speed")


def babble(seconds: float = 6.0, seed: int = 0, pause: float = 0.4) -> Speech:
    """Speech that needs no synthesizer: vowels, loud or not, soft consonants, a pause every two seconds."""
    rng = np.random.default_rng(seed)
    consonants = [symbol for symbol in PHONEMES if symbol not in VOWELS and symbol != "pau"]
    phonemes, rested = [Phoneme("pau", 0.0, 0.2)], 0.0
    while phonemes[-1].end < seconds:
        last = phonemes[-1]
        if last.end - rested > 2 and pause:
            symbol, length, rested = "pau", pause, last.end + pause
        else:
            symbol = str(rng.choice(consonants if last.symbol in VOWELS else sorted(VOWELS)))
            length = rng.uniform(0.05, 0.16)
        phonemes.append(Phoneme(symbol, last.end, last.end + length))
    waveform = rng.standard_normal(round(phonemes[-1].end * SAMPLE_RATE)) * 0.01
    for phoneme in phonemes:
        gain = rng.uniform(5, 20) if phoneme.symbol in VOWELS else 3.0 * (phoneme.symbol != "pau")
        waveform[round(phoneme.start * SAMPLE_RATE) : round(phoneme.end * SAMPLE_RATE)] *= gain
    return Speech(waveform.astype(np.float32), tuple(phonemes))


def cut(speech: Speech, seconds: float) -> Speech:
    phonemes = [Phoneme(p.symbol, p.start, min(p.end, seconds)) for p in speech.phonemes if p.start < seconds]
    return Speech(speech.waveform[: round(seconds * SAMPLE_RATE)], tuple(phonemes))


def act(speed: float = 12, dice: int = 0, speech: Speech | None = None, frames: int = 150) -> Performance:
    return perform(speech or babble(), frames, FPS, speed, START, dice)


def turned(acted: Performance) -> np.ndarray:
    return np.stack([acted.yaw - START.yaw, acted.pitch - START.pitch, acted.roll - START.roll], 1)


@pytest.mark.parametrize("seconds", np.arange(0.5, 5.5, 0.17))
def test_what_is_said_later_changes_nothing(seconds: float) -> None:
    speech = babble(6)
    whole, part = act(speech=speech), act(speech=cut(speech, seconds))
    known = int(np.floor((seconds - LOOK_AHEAD) * FPS - 0.5)) + 1
    for name in CURVES:
        assert np.allclose(getattr(whole, name)[:known], getattr(part, name)[:known], atol=1e-5), name


def test_a_longer_take_begins_like_a_shorter_one() -> None:
    short, long = act(frames=60), act(frames=150)
    for name in CURVES:
        assert np.array_equal(getattr(short, name), getattr(long, name)[:60]), name


def test_other_speech_is_acted_differently() -> None:
    first, second = act(), act(speech=babble(seed=1))
    assert abs(np.corrcoef(first.yaw, second.yaw)[0, 1]) < 0.7
    assert np.abs(first.actions - second.actions).max() > 0.3


def test_a_performance_starts_in_the_pose_and_with_the_face_of_its_portrait() -> None:
    mood = Expression.of(
        gaze=(-6.0, 2.0), mouthSmileLeft=0.4, mouthSmileRight=0.35, browInnerUp=0.2, jawOpen=0.3
    )
    for dice in range(8):
        acted = perform(babble(), 50, FPS, 20, START, dice, mood)
        assert np.abs(turned(acted)[0]).max() < 0.55
        assert (acted.x[0], acted.y[0]) == pytest.approx((START.x, START.y), abs=0.004)
        assert acted.gaze[0] == pytest.approx(mood.gaze, abs=0.55)
        same = np.delete(np.arange(len(ACTIONS)), INDEX["jawOpen"])
        assert acted.actions[0][same] == pytest.approx(mood.actions[same], abs=0.03)
        assert acted.actions[0, INDEX["jawOpen"]] < 0.01


def test_dice_decide_little() -> None:
    curves = [turned(act(20, dice)) for dice in range(8)]
    moved = np.stack([curve - curve[0] for curve in curves])
    unknowable = moved.var(axis=0).mean()
    assert 0.005 < unknowable / moved.var(axis=1).mean() < 0.12
    assert not np.array_equal(curves[0], curves[1])
    first, second = act(dice=0), act(dice=1)
    assert np.array_equal(first.actions, second.actions)


@pytest.mark.parametrize("speed", [1.0, 6.0, 15.0, 30.0])
def test_mean_head_speed_is_the_requested_one(speed: float) -> None:
    for seed in range(6):
        acted = act(speed, seed, babble(seed=seed))
        measured = head_speed(acted.yaw, acted.pitch, acted.roll, FPS)
        assert measured.mean() == pytest.approx(speed, rel=0.1)
        assert np.allclose(acted.speed, measured, atol=0.05)


def test_one_motion_at_three_speeds() -> None:
    slow, middle, fast = (turned(act(speed, 3)) for speed in (4, 12, 30))
    for axis in range(3):
        assert np.corrcoef(slow[:, axis], middle[:, axis])[0, 1] > 0.97
        assert np.corrcoef(middle[:, axis], fast[:, axis])[0, 1] > 0.93
    assert slow[0] == pytest.approx(fast[0], abs=0.03)


def test_a_still_head_is_still() -> None:
    acted = act(0)
    assert acted.speed.max() == 0
    assert np.ptp(acted.yaw) == np.ptp(acted.x) == 0


@pytest.mark.parametrize("speed", [10.0, 45.0])
def test_motion_is_limited_and_smooth(speed: float) -> None:
    for seed in range(4):
        acted = act(speed, seed, babble(seed=seed))
        moved = turned(acted)
        assert (np.abs(moved).max(axis=0) <= ROOM + 1).all()
        assert np.linalg.norm(np.diff(moved, 2, axis=0), axis=1).max() < 0.12 * speed
        power = np.abs(np.fft.rfft((moved - moved.mean(0)) * np.hanning(len(moved))[:, None], axis=0)) ** 2
        assert power[np.fft.rfftfreq(len(moved), 1 / FPS) > 3].sum() < 0.03 * power.sum()


def test_eyes_stay_on_the_viewer_while_the_head_turns() -> None:
    speech = babble(pause=0)
    acted = act(20, speech=speech)
    said = slice(0, int(speech.phonemes[-1].end * FPS) - 2)
    for axis, curve in enumerate((acted.yaw - START.yaw, acted.pitch - START.pitch)):
        assert np.abs(acted.gaze[said, axis] + curve[said]).max() < 0.01
    assert np.ptp(acted.yaw[said]) > 5


def test_eyes_let_go_in_a_pause() -> None:
    speech = babble(pause=0.6)
    pause = next(p for p in speech.phonemes if p.symbol == "pau" and p.start > 1)
    acted = act(speech=speech)
    off = acted.gaze[:, 1] + acted.pitch - START.pitch
    assert off[int((pause.start + 0.3) * FPS)] == pytest.approx(eyes.LOWERED, abs=0.1)
    assert off[[int((pause.start - 0.1) * FPS), int((pause.end + 0.1) * FPS)]] == pytest.approx(0, abs=0.1)


def test_blinks_follow_phrases_and_else_come_at_every_third_second() -> None:
    silent = Speech(np.zeros(SAMPLE_RATE, np.float32), (Phoneme("pau", 0.0, 1.0),))
    assert eyes.blink_times(silent, 10.0) == [3, 6, 9]
    speech = babble(8)
    moments = eyes.blink_times(speech, 8.0)
    starts = [
        next(p.start for p in speech.phonemes if p.symbol in VOWELS and p.start >= pause.end)
        for pause in speech.phonemes
        if pause.symbol == "pau" and 0.3 < pause.end < 7.5
    ]
    assert len(starts) == 3
    assert sum(min(abs(moment - start) for moment in moments) < 0.01 for start in starts) >= 2
    assert np.diff(moments).min() >= eyes.APART
    shut = eyes.blinks(moments, (np.arange(200) + 0.5) / FPS)
    assert np.count_nonzero((shut[1:-1] > 0.8) & (shut[1:-1] >= shut[2:]) & (shut[1:-1] > shut[:-2])) == len(
        [moment for moment in moments if moment < 7.8]
    )


def test_lids_shut_when_they_are_told_to() -> None:
    acted = perform(babble(), 100, FPS, 10, START, 0, blink_times=[1.0, 2.5])
    lids = acted.actions[:, INDEX["eyeBlinkLeft"]]
    assert min(lids[25:30].max(), lids[62:68].max()) > 0.9
    assert lids[: int(0.9 * FPS)].max() == lids[round(1.5 * FPS) : round(2.4 * FPS)].max() == 0


def test_random_blinks_come_at_any_time() -> None:
    moments = eyes.random_blink_times(np.random.default_rng(0), 600.0)
    assert np.diff(moments).min() >= eyes.OFTEN and np.diff(moments).max() <= eyes.SELDOM
    assert moments[0] < eyes.SELDOM and moments[-1] > 597
    assert np.ptp(np.histogram(np.array(moments) % 1, 4)[0]) < 60


def test_brows_rise_with_stress() -> None:
    speech = babble(pause=0)
    waveform = speech.waveform.copy()
    waveform[2 * SAMPLE_RATE : round(2.3 * SAMPLE_RATE)] *= 4
    plain, loud = act(speech=speech), act(speech=Speech(waveform, speech.phonemes))
    brow = INDEX["browInnerUp"]
    assert loud.actions[50:60, brow].max() > plain.actions[50:60, brow].max() + 0.05


def test_curves_have_their_shapes_and_ranges_at_any_length() -> None:
    for frames in (1, 2, 7, 400):
        acted = act(20, frames=frames)
        shapes = {"actions": (frames, 52), "gaze": (frames, 2)}
        for name in CURVES:
            curve = getattr(acted, name)
            assert curve.shape == shapes.get(name, (frames,))
            assert curve.dtype == np.float32
            assert np.isfinite(curve).all()
        assert acted.pose(0).yaw == acted.yaw[0]
        assert acted.expression(frames - 1).gaze == tuple(acted.gaze[-1].tolist())


def test_silence_and_bad_requests() -> None:
    quiet = act(speech=Speech(np.zeros(0, np.float32), ()), frames=100)
    assert quiet.actions[:, INDEX["jawOpen"]].max() == 0
    assert quiet.speed.max() < 30
    refused = partial(perform, babble(), start=Pose(), dice=0)
    with pytest.raises(ValueError, match="0 frames and 5"):
        refused(frames=0, fps=FPS, head_speed=5)
    with pytest.raises(ValueError, match=r"0\.\.45"):
        refused(frames=5, fps=FPS, head_speed=50)
