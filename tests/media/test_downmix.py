import math

import pytest
import torch

from emo_modules.media.audio import Audio
from emo_modules.media.downmix import to_mono, to_stereo

ROOM = ("FL", "FR", "FC", "LFE", "BL", "BR")


def voice(samples=4000):
    return torch.randn(samples, generator=torch.Generator().manual_seed(0)) * 0.1


def only_in(channel, channels):
    waveform = torch.zeros(channels, 4000)
    waveform[channel] = voice()
    return waveform


def decibels(waveform, other):
    return 10 * math.log10(waveform.pow(2).mean() / other.pow(2).mean())


@pytest.mark.parametrize("channels", [3, 5, 6, 7, 8])
def test_dialogue_in_the_centre_loses_three_decibels_and_no_more(channels):
    surround = only_in(2, channels)
    assert to_stereo(surround).shape == (2, 4000)
    for heard in (to_stereo(surround)[0], to_stereo(surround)[1], to_mono(surround)):
        assert decibels(heard, voice()) == pytest.approx(-3.01, abs=0.01)
    assert decibels(Audio(surround).mono, voice()) == pytest.approx(-3.01, abs=0.01)


def test_each_loudspeaker_goes_where_the_recommendation_puts_it():
    mixed = to_stereo(torch.eye(6))
    half = 0.5**0.5
    assert torch.allclose(mixed, torch.tensor([[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]]))


def test_named_loudspeakers_are_mixed_by_their_names():
    order = ("FL", "FR", "LFE", "FC", "BL", "BR")
    assert to_stereo(only_in(3, 6), order).abs().max() > 0.1
    assert to_stereo(only_in(2, 6), order).abs().max() == 0
    back = to_stereo(only_in(3, 4), ("FL", "FR", "FC", "BC"))
    assert torch.allclose(back, 0.5 * voice().expand(2, -1))
    high = to_stereo(only_in(6, 8), ("FL", "FR", "FC", "LFE", "SL", "SR", "TFL", "TFR"))
    assert torch.allclose(high[0], voice() * 0.5**0.5) and high[1].abs().max() == 0


@pytest.mark.parametrize("names", [None, ("NONE",) * 6])
def test_channels_without_names_stand_in_wavs_order(names):
    assert torch.equal(to_stereo(only_in(2, 6), names), to_stereo(only_in(2, 6), ROOM))


def test_mono_and_stereo_stay_as_they_are_and_a_dozen_channels_are_averaged():
    for channels in (1, 2):
        waveform = only_in(0, channels)
        assert to_stereo(waveform) is waveform
    assert torch.allclose(to_stereo(only_in(3, 12)), voice()[None] / 12)
    assert torch.equal(to_mono(voice()), voice())


def test_doubles_stay_doubles():
    assert to_stereo(only_in(2, 6).double()).dtype == torch.float64


def test_a_channel_upside_down_does_not_silence_the_other(caplog):
    waveform = torch.stack([0.9 * voice(), -voice()])
    assert torch.equal(to_mono(waveform), -voice())
    assert "cancel each other" in caplog.text


@pytest.mark.parametrize("right", [torch.zeros(4000), voice(), 0.5 * voice().flip(0)])
def test_ordinary_stereo_is_averaged_without_a_word(caplog, right):
    waveform = torch.stack([voice(), right])
    assert torch.equal(to_mono(waveform), waveform.mean(dim=0))
    assert not caplog.records


def test_silence_is_no_cancellation(caplog):
    assert torch.equal(to_mono(torch.zeros(2, 100)), torch.zeros(100))
    assert not caplog.records
