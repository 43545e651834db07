from dataclasses import fields, replace

import numpy as np
import pytest

from emo_people.acting.face import INDEX, Expression, Pose
from emo_people.acting.performance import perform
from emo_people.filming import clips
from emo_people.filming.clip_files import pack, read_clip, unpack, write_clip
from emo_people.filming.clips import (
    FRAMES,
    MARGIN,
    Rehearsal,
    film,
    heard,
    moved,
    random_framing,
    random_start,
    rehearse,
)
from emo_people.filming.seeds import HELD_OUT
from emo_people.rendering.framing import Framing
from emo_people.speech.alphabet import PHONEMES
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech
from emo_people.speech.utterances import utterance

from ..voices import needs_voices
from .gl import drawn as drawn

SAMPLES = SAMPLE_RATE // 25  # of a frame
SHOWN = (0, 14)  # frames of the short clip: before the vowel and in it


@pytest.fixture(scope="module")
def speech():
    """A vowel from half a second on, a second long."""
    phonemes = (Phoneme("pau", 0, 0.5), Phoneme("aa", 0.5, 1.0))
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return Speech(np.where(time > 0.5, np.sin(900 * time), 0).astype(np.float32), phonemes)


@pytest.fixture(scope="module")
def rehearsal(speech):
    mood = Expression.of((-8.0, 0.0))
    start = Pose(8, 3)
    acted = perform(speech, FRAMES, 25.0, 20.0, start, 0, mood)
    return Rehearsal(3, Framing(256, 256, 0.6), (mood, start), acted, 0, 20.0, *heard(speech, 0))


@pytest.fixture(scope="module")
def clip(drawn, rehearsal):
    """Two frames: quicker to draw than all, and as telling."""
    acted = {
        field.name: getattr(rehearsal.performance, field.name)[list(SHOWN)]
        for field in fields(rehearsal.performance)
        if field.name != "fps"
    }
    short = replace(rehearsal, performance=replace(rehearsal.performance, **acted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "FRAMES", len(SHOWN))
        return film(drawn, short)


def test_the_moved_portrait_is_the_frame_where_it_shows_it(clip):
    seen = clip.hidden.repeat(8, 1).repeat(8, 2) == 0
    assert 0.4 < seen.mean() < 0.99
    frames = clip.pictures[1:] / 255
    off, unmoved = (
        np.abs(picture - frames).max(-1)[seen]
        for picture in (moved(clip.pictures[0], clip.displacement), clip.pictures[:1] / 255)
    )
    assert off.max() <= clips.OFF + 1e-6
    assert (off**2).mean() < 0.3 * (unmoved**2).mean()


def test_an_opening_mouth_and_nothing_behind_the_head_is_hidden(clip):
    inside = clip.landmarks[2, [62, 66]].mean(0)
    assert clip.hidden[1, int(inside[1] / 8), int(inside[0] / 8)] > 100
    assert clip.hidden[:, :2, :2].max() == 0 == np.abs(clip.displacement[:, :4, :4]).max()


def test_the_truth_follows_the_performance(clip, rehearsal):
    assert clip.curves.shape == (2, 8) and clip.boxes.shape == (3, 4) and clip.landmarks.shape == (3, 68, 2)
    assert clip.curves[0, 0] < 0.05 < 0.1 < clip.curves[1, 0], "the mouth opens with the vowel"
    performance = rehearsal.performance
    for column, name in ((4, "yaw"), (5, "pitch"), (6, "roll"), (7, "speed")):
        assert clip.curves[:, column] == pytest.approx(getattr(performance, name)[list(SHOWN)], abs=0.1)
    x0, y0, x1, y1 = clip.boxes[0]
    assert (clip.landmarks[0] > [x0 - 2, y0 - 2]).all() and (clip.landmarks[0] < [x1 + 2, y1 + 2]).all()
    assert (y1 - y0) == pytest.approx(0.6 * 256, rel=0.1) and x1 - x0 < y1 - y0


def test_what_stands_still_is_the_same_in_all_pictures(clip):
    """The camera's noise, too."""
    assert (clip.pictures[1:, :12, :12] == clip.pictures[0, :12, :12]).all()


def test_a_file_holds_the_clip(clip, tmp_path):
    path = tmp_path / "new" / "clip.safetensors"
    write_clip(path, clip)
    again = read_clip(path)
    assert path.stat().st_size < 80_000
    for field in fields(clip):
        one, other = getattr(clip, field.name), getattr(again, field.name)
        assert (one.shape, one.dtype) == (other.shape, other.dtype), field.name
    error = (clip.pictures.astype(float) - again.pictures) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 36
    assert np.abs(clip.displacement - again.displacement).max() <= 1 / 8
    assert np.abs(clip.landmarks - again.landmarks).max() <= 1 / 64
    assert np.abs(clip.hidden.astype(int) - again.hidden).max() <= 1
    sound, kept = clip.waveform.astype(float), again.waveform.astype(float)
    assert ((sound - kept) ** 2).mean() < 1e-3 * (sound**2).mean()
    for name in ("boxes", "curves", "phonemes", "head_speed", "start", "seed"):
        assert (getattr(clip, name) == getattr(again, name)).all(), name


def test_packing_keeps_every_integer():
    values = np.random.default_rng(0).integers(-(2**15), 2**15, (5, 4, 3, 2)).astype(np.int16)
    assert (unpack(pack(values), values.shape) == values).all()


@pytest.mark.parametrize("start", [0, 10])
def test_sound_and_phonemes_are_those_around_the_frames(speech, start):
    waveform, phonemes = heard(speech, start)
    assert waveform.shape == ((FRAMES + 2 * MARGIN) * SAMPLES,) and waveform.dtype == np.float16
    assert phonemes.shape == ((FRAMES + 2 * MARGIN) * 2,) and phonemes.dtype == np.int16
    vowel = (MARGIN - start) / 25 + 0.5, (MARGIN - start) / 25 + 1.0
    times = (np.arange(len(phonemes)) + 0.5) / 50
    assert ((phonemes == PHONEMES.index("aa")) == ((times > vowel[0]) & (times < vowel[1]))).all()
    before = waveform[: (MARGIN - start) * SAMPLES]
    assert (before == 0).all() and (waveform[round(vowel[1] * SAMPLE_RATE) :] == 0).all()
    normal = (speech.waveform - speech.waveform.mean()) / speech.waveform.std()
    stretch = waveform[len(before) :][: len(normal)]
    assert stretch == pytest.approx(normal[: len(stretch)], abs=2e-3)


def test_most_of_a_face_stays_in_the_picture():
    framings = [random_framing(np.random.default_rng(seed)) for seed in range(300)]
    for framing in framings:
        for middle, half in ((framing.x, 0.39 * framing.face), (framing.y, 0.5 * framing.face)):
            out = max(0, half - middle) + max(0, middle + half - 1)
            assert out <= 0.1 * framing.face + 1e-6
    assert min(f.face for f in framings) < 0.45 and max(f.face for f in framings) > 1.0
    assert max(abs(f.x - 0.5) for f in framings) > 0.13


@needs_voices
def test_a_rehearsal_is_the_same_again_and_differs_from_the_portrait():
    one, other, third = rehearse(4), rehearse(4), rehearse(5)
    assert (one.waveform == other.waveform).all() and (one.phonemes == other.phonemes).all()
    assert (one.performance.actions == other.performance.actions).all()
    assert (one.framing, one.portrait, one.start) == (other.framing, other.portrait, other.start)
    assert one.framing != third.framing and one.performance.actions.shape == (FRAMES, 52)


@needs_voices
def test_held_out_people_speak_with_held_out_voices(monkeypatch):
    asked = []
    monkeypatch.setattr(clips, "speak", lambda seed, frames, held_out: asked.append(held_out) or said)
    said = utterance(1).speak()
    for seed in (7, HELD_OUT + 100_000):
        rehearse(seed)
    assert asked == [False, True]


@needs_voices
def test_the_same_sound_is_seen_with_lids_that_blink_at_other_times(monkeypatch):
    said = utterance(1).speak()
    monkeypatch.setattr(clips, "speak", lambda seed, frames, held_out: said)
    lids = []
    for seed in range(24):
        shown = rehearse(seed)
        if shown.start == 0:
            lids.append(shown.performance.actions[:, INDEX["eyeBlinkLeft"]] > 0.7)
    shut = np.array(lids)
    assert 0.04 < shut.mean() < 0.3
    assert shut.mean(0).max() < 0.7


@needs_voices
def test_mouths_rest_before_and_after_what_is_said(monkeypatch):
    """A model that never heard a pause keeps lips moving in it."""
    said = utterance(1).speak()
    monkeypatch.setattr(clips, "speak", lambda seed, frames, held_out: said)
    shown = [rehearse(seed).phonemes[2 * MARGIN : -2 * MARGIN] for seed in range(40)]
    quiet = np.array(shown) == PHONEMES.index("pau")
    assert quiet[:, 0].any() and quiet[:, -1].any() and not quiet[:, 0].all()
    assert 0.12 < quiet.mean() < 0.5
    assert (quiet[:, -25:].all(1)).sum() >= 3, "half a second at the end"


def test_clips_are_taken_from_both_ends_and_between():
    rng = np.random.default_rng(0)
    starts = np.array([random_start(100, rng) for _ in range(1000)])
    assert np.mean(starts == 0) == pytest.approx(0.4, abs=0.06)
    assert np.mean(starts == 100 - FRAMES) == pytest.approx(0.2, abs=0.06)
    assert len(np.unique(starts)) > 60 and starts.max() == 100 - FRAMES
