import re
from itertools import pairwise

import numpy as np
import pytest

from emo_people.speech import sentences
from emo_people.speech.alphabet import ENGLISH_PHONEMES, PHONEMES, VOWELS
from emo_people.speech.augment import (
    add_music,
    add_noise,
    augment,
    change_gain,
    equalize,
    reverberate,
    sing,
    telephone,
)
from emo_people.speech.sentences import sentence
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech, phoneme_frames, synthesize
from emo_people.speech.voices import HELD_OUT_VOICES, TRAINING_VOICES, VOICES

from ..voices import has_voice

TEXT = "Bob jumped over a better cup of cocoa, and she quickly laughed at the big map."


def speak(voice: str, text: str = TEXT, **settings: float) -> Speech:
    if not has_voice(voice):
        package = "flite" if voice.startswith("flite") else "espeak-ng"
        pytest.skip(f"the Debian package {package} is not installed: apt-get install {package}")
    return synthesize(text, voice, **settings)


def level(speech: Speech, phoneme: Phoneme) -> float:
    first, last = round(phoneme.start * SAMPLE_RATE), round(phoneme.end * SAMPLE_RATE)
    return float(np.sqrt(np.mean(speech.waveform[first:last] ** 2)))


def pulses(seconds: float = 1.0) -> np.ndarray:
    waveform = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    waveform[::160] = 0.5
    return waveform


@pytest.mark.parametrize("voice", VOICES)
def test_phonemes_cover_the_waveform_in_order(voice: str) -> None:
    speech = speak(voice)
    assert speech.waveform.dtype == np.float32
    assert 0.2 < np.abs(speech.waveform).max() <= 1
    assert len(speech.phonemes) > 40
    assert speech.phonemes[0].start == 0
    assert speech.phonemes[-1].end == len(speech.waveform) / SAMPLE_RATE
    assert all(before.end == after.start for before, after in pairwise(speech.phonemes))
    assert all(phoneme.end > phoneme.start for phoneme in speech.phonemes)
    assert {phoneme.symbol for phoneme in speech.phonemes} <= set(ENGLISH_PHONEMES)


@pytest.mark.parametrize("voice", ["flite:rms", "flite:slt", "espeak:en-us+m3", "espeak:en-gb+f2"])
def test_times_fit_the_sound(voice: str) -> None:
    speech = speak(voice)
    vowels = [level(speech, phoneme) for phoneme in speech.phonemes if phoneme.symbol in VOWELS]
    pauses = [level(speech, phoneme) for phoneme in speech.phonemes if phoneme.symbol == "pau"]
    closures = [level(speech, phoneme) for phoneme in speech.phonemes if phoneme.symbol in ("p", "t", "k")]
    assert np.median(vowels) > 10 * np.median(pauses)
    assert np.median(vowels) > 3 * np.median(closures)


@pytest.mark.parametrize("voice", ["flite:kal16", "espeak:en-us+f1"])
def test_rate_shortens_and_pitch_raises(voice: str) -> None:
    def pitch(speech: Speech) -> float:
        import librosa

        return float(np.median(librosa.yin(speech.waveform, fmin=60, fmax=500, sr=SAMPLE_RATE)))

    plain, fast, high = speak(voice), speak(voice, rate=1.3), speak(voice, pitch=1.3)
    assert len(fast.waveform) / len(plain.waveform) == pytest.approx(1 / 1.3, abs=0.06)
    assert pitch(high) / pitch(plain) == pytest.approx(1.3, abs=0.12)


def test_the_same_request_gives_the_same_speech() -> None:
    for voice in ("flite:awb", "espeak:en-gb+f2"):
        first = speak(voice)
        speak("espeak:en-us+m3", "Something else.")
        second = speak(voice)
        assert first.phonemes == second.phonemes
        assert np.array_equal(first.waveform, second.waveform)


def test_phoneme_frames_are_taken_at_the_centres() -> None:
    phonemes = (Phoneme("pau", 0, 0.1), Phoneme("m", 0.1, 0.15), Phoneme("aa", 0.15, 0.3))
    speech = Speech(np.zeros(4800, np.float32), phonemes)
    ids = phoneme_frames(speech, 8, 25.0)
    names = [PHONEMES[index] for index in ids]
    assert names == ["pau", "pau", "m", "m", "aa", "aa", "aa", "pau"]


def test_bad_requests_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="unknown voice 'flite:nobody'.*flite:rms"):
        synthesize("Hello", "flite:nobody")
    with pytest.raises(ValueError, match="at least one word"):
        synthesize("  ", "flite:rms")
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(FileNotFoundError, match="apt-get install flite"):
        synthesize("Hello", "flite:rms")


def test_a_missing_espeak_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(FileNotFoundError, match="apt-get install espeak-ng"):
        synthesize("Hello", "espeak:en-us+m3")


def test_voices_are_split() -> None:
    assert set(TRAINING_VOICES) | set(HELD_OUT_VOICES) == set(VOICES)
    assert not set(TRAINING_VOICES) & set(HELD_OUT_VOICES)
    assert "flite:slt" in HELD_OUT_VOICES


def test_held_out_sentences_are_never_trained_on() -> None:
    training = {sentence(seed) for seed in range(500)}
    held_out = {sentence(seed, held_out=True) for seed in range(500)}
    assert not training & held_out
    assert len(training) > 495
    assert len(held_out) > 495
    assert all(5 <= len(text.split()) <= 16 for text in training | held_out)
    assert sentence(7) == sentence(7)


def test_held_out_content_words_are_new() -> None:
    def words(lists: dict[str, str]) -> set[str]:
        return {word for text in lists.values() for word in re.split(r"\s+", text)}

    assert not words(sentences._TRAINING_WORDS) & words(sentences._HELD_OUT_WORDS)


@pytest.mark.parametrize("voice", ["flite:kal16", "espeak:en-us+m3"])
def test_sentences_use_every_sound(voice: str) -> None:
    text = " ".join(sentence(seed) for seed in range(60))
    found = {phoneme.symbol for phoneme in speak(voice, text).phonemes}
    assert set(ENGLISH_PHONEMES) - found <= {"zh", "oy"}


@pytest.mark.parametrize(
    "change", [equalize, reverberate, add_noise, add_music, change_gain, telephone, augment]
)
def test_augmentations_keep_time(change) -> None:
    waveform = pulses()
    for seed in range(4):
        changed = change(waveform, np.random.default_rng(seed))
        assert changed.shape == waveform.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert np.abs(changed).max() <= 1
        assert np.array_equal(changed, change(waveform, np.random.default_rng(seed)))
        again = np.correlate(changed[:4000], waveform[40:3960], "valid")
        assert change is augment or abs(int(np.abs(again).argmax()) - 40) <= 1
    assert np.isfinite(change(np.zeros(1000, np.float32), np.random.default_rng(0))).all()


@pytest.mark.parametrize("voice", ["flite:rms", "espeak:en-us+f1"])
def test_singing_holds_the_vowels(voice: str) -> None:
    speech = speak(voice)
    song = sing(speech, np.random.default_rng(0))
    assert song.phonemes[-1].end == pytest.approx(len(song.waveform) / SAMPLE_RATE, abs=1e-9)
    assert [p.symbol for p in song.phonemes] == [p.symbol for p in speech.phonemes]
    for spoken, held in zip(speech.phonemes, song.phonemes, strict=True):
        stretch = (held.end - held.start) / (spoken.end - spoken.start)
        assert 1.19 < stretch < 3.01 if spoken.symbol in VOWELS else stretch == pytest.approx(1, abs=0.01)
    spoken = [np.log(level(speech, phoneme) + 1e-3) for phoneme in speech.phonemes]
    held = [np.log(level(song, phoneme) + 1e-3) for phoneme in song.phonemes]
    assert np.corrcoef(spoken, held)[0, 1] > 0.9


def test_a_telephone_passes_its_band_only() -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE).astype(np.float32)
    power = np.abs(np.fft.rfft(telephone(waveform, np.random.default_rng(0)))) ** 2
    assert power[500:3000].mean() > 100 * power[4200:].mean()
    assert power[500:3000].mean() > 100 * power[:90].mean()


def test_only_who_asks_is_called_by_telephone() -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    pairs = [
        [augment(waveform, np.random.default_rng(seed), telephones) for telephones in (False, True)]
        for seed in range(40)
    ]
    differ = [not np.array_equal(plain, called) for plain, called in pairs]
    assert 1 <= sum(differ) <= 12
