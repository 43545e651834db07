"""Several people's sounds: arranged, taken apart, mixed."""

import pytest
import torch

from emo_modules.media.audio import Audio
from emo_modules.media.conversation import Turn, at_once, by_turns, head_speeds, in_turn, read_turns

RATE = 16000


def tone(seconds: float, value: float = 0.25, rate: int = RATE, channels: int = 1) -> Audio:
    return Audio(torch.full((channels, round(seconds * rate)), value), rate)


def test_in_turn_each_is_silent_while_the_other_speaks() -> None:
    talk = in_turn([tone(1.0), tone(2.0, 0.5)], pause=0.5)
    first, second = (voice.waveform[0] for voice in talk.voices)
    assert len(first) == len(second) == talk.mixed.waveform.shape[-1] == 3.5 * RATE
    assert (first[:RATE] == 0.25).all() and not first[RATE:].any()
    assert not second[: round(1.5 * RATE)].any() and (second[round(1.5 * RATE) :] == 0.5).all()
    assert torch.equal(talk.mixed.waveform[0], first + second)


def test_a_negative_pause_cuts_in() -> None:
    talk = in_turn([tone(1.0), tone(1.0)], pause=-0.25)
    overlap = talk.mixed.waveform[0, round(0.75 * RATE) : RATE]
    assert talk.mixed.waveform.shape[-1] == 1.75 * RATE and (overlap == 0.5).all()


def test_a_pause_longer_than_the_first_sound_starts_no_one_before_the_beginning() -> None:
    talk = in_turn([tone(0.5), tone(1.0, 0.125)], pause=-2.0)
    assert talk.voices[1].waveform[0, 0] == 0.125 and talk.mixed.waveform.shape[-1] == RATE


def test_at_once_the_mix_stays_within_full_scale_and_the_voices_as_they_were() -> None:
    talk = at_once([tone(1.0, 0.9), tone(0.5, 0.9)])
    assert talk.mixed.waveform.max() == 1.0
    assert talk.voices[0].waveform.max() == pytest.approx(0.9)
    assert not talk.voices[1].waveform[0, RATE // 2 :].any()


def test_rates_and_channels_become_alike() -> None:
    talk = at_once([tone(1.0, rate=8000), tone(1.0, rate=48000, channels=2), tone(1.0, channels=6)])
    assert {tuple(voice.waveform.shape) for voice in talk.voices} == {(2, 48000)}
    assert {voice.sample_rate for voice in talk.voices} == {48000}


def test_one_sound_is_taken_apart_by_turns() -> None:
    sound = tone(3.0)
    talk = by_turns(sound, [Turn(1, 0, 1), Turn(3, 2, 9)])
    assert len(talk.voices) == 3 and talk.mixed is sound
    heard = [voice.waveform[0].reshape(3, RATE).any(1).tolist() for voice in talk.voices]
    assert heard == [[True, False, False], [False] * 3, [False, False, True]]


def test_turns_are_read_in_the_ways_that_people_write_them() -> None:
    text = "1 0 3.2\n\n2: 3.2-6  # she answers\n1, 6, 7.5\n2 7 to 8"
    assert read_turns(text) == [Turn(1, 0, 3.2), Turn(2, 3.2, 6), Turn(1, 6, 7.5), Turn(2, 7, 8)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 0 3\nAnna 3 4", "line 2 .*Anna 3 4.*such as 1 0 3.2"),
        ("1 3 2", "line 1 .*ends after it begins"),
        ("0 0 1", "numbered from 1"),
        ("1 0 1.2.3", "line 1"),
    ],
)
def test_a_wrong_turn_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_turns(text)


def test_what_makes_no_conversation_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody speaks"):
        by_turns(tone(1.0), [])
    with pytest.raises(ValueError, match="begins at 5 s, the sound lasts 1.00 s"):
        by_turns(tone(1.0), [Turn(1, 5, 6)])
    with pytest.raises(ValueError, match="from 1 to 16 sounds"):
        in_turn([])


def test_heads_are_calm_while_they_listen() -> None:
    talk = in_turn([tone(1.0), tone(1.0)], pause=0.0)
    first, second = (head_speeds(voice, 25, 12.0) for voice in talk.voices)
    assert len(first) == len(second) == 50
    assert set(first[:34]) == {12.0} and set(first[36:]) == {4.0}, "0.4 s beyond the last word"
    assert set(second[:14]) == {4.0} and set(second[16:]) == {12.0}
    assert set(head_speeds(talk.voices[0], 25, 2.0)) == {2.0}, "who speaks calmly listens as calmly"


def test_a_microphone_that_hears_the_others_faintly_is_one_that_listens() -> None:
    sound = Audio(torch.cat([tone(1.0).waveform, tone(1.0, 0.001).waveform], 1), RATE)
    speeds = head_speeds(sound, 25, 12.0)
    assert (speeds[5], speeds[45]) == (12.0, 4.0)
