"""Speech in many languages: every sound is known, its times fit, and it can be sung and disturbed."""

import struct
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from emo_people.acting.mouth import speak
from emo_people.acting.visemes import lip_parting
from emo_people.speech.alphabet import PHONEMES, STOPS, VOWELS
from emo_people.speech.augment import augment, sing
from emo_people.speech.mnemonics import phonemes_of
from emo_people.speech.phrasebook import (
    HELD_OUT_LANGUAGES,
    LANGUAGES,
    TRAINING_LANGUAGES,
    phrasebook,
    sentence_in,
)
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech, synthesize
from emo_people.speech.voices import (
    ACCENTS,
    HELD_OUT_VOICES,
    TRAINING_VOICES,
    VARIANTS,
    check_voice,
    voices_in,
)

from ..voices import has_voice

needs_espeak = pytest.mark.skipif(
    not has_voice("espeak:"),
    reason="the Debian package espeak-ng is not installed: apt-get install espeak-ng",
)
# espeak-ng 1.51's names of the phoneme tables that its voice files name, where accent and table differ.
TABLES = {
    "en": "en-us", "en-gb": "en", "en-gb-scotland": "en-sc", "en-gb-rp": "en-rp", "es-419": "es-la",
    "fr-be": "fr", "fr-ch": "fr", "pt": "pt-pt", "pt-br": "pt", "zh": "cmn",
}  # fmt: skip
OTHERS = [language for language in LANGUAGES if language != "en"]


def language_of(accent: str) -> str:
    return accent.split("-")[0]


@cache
def spoken(accent: str) -> Speech:
    """Many sentences at once, since starting the synthesizer takes longer than speaking."""
    language = language_of(accent)
    kinds = (True,) if language in HELD_OUT_LANGUAGES else (False, True)
    texts = [sentence_in(language, seed, held_out) for held_out in kinds for seed in range(20)]
    return synthesize("\n\n".join(texts), f"espeak:{accent}", rate=1.8)


def level(speech: Speech, phoneme: Phoneme) -> float:
    first, last = round(phoneme.start * SAMPLE_RATE), round(phoneme.end * SAMPLE_RATE)
    return float(np.sqrt(np.mean(speech.waveform[first:last] ** 2)))


@cache
def data_folder() -> Path:
    printed = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    return Path(printed.rpartition("Data at:")[2].strip())


def phoneme_tables() -> dict[str, list[str]]:
    """The mnemonics of each phoneme table of the library, with the inherited ones, without stress and tones.

    phontab holds tables of a header (phonemes, table inherited from, name) and 16 bytes for each phoneme.
    """
    content = (data_folder() / "phontab").read_bytes()
    place, names, tables = 4, [], {}
    for _ in range(content[0]):
        count, parent = content[place], content[place + 1]
        name = content[place + 4 : place + 36].split(b"\0")[0].decode()
        own = struct.iter_unpack("<4s4xHBBBBBB", content[place + 36 : place + 36 + 16 * count])
        inherited = tables[names[parent - 1]] if parent else {}
        tables[name] = inherited | {code: (mnemonic, kind) for mnemonic, _, code, kind, *_ in own}
        names.append(name)
        place += 36 + 16 * count
    return {
        name: [mnemonic.rstrip(b"\0").decode() for mnemonic, kind in table.values() if 2 <= kind <= 8]
        for name, table in tables.items()
    }


@needs_espeak
@pytest.mark.parametrize("accent", ACCENTS)
def test_every_phoneme_of_the_library_is_known(accent: str) -> None:
    tables = phoneme_tables()
    if "en-rp" not in tables:
        pytest.skip("the phoneme tables are not those of espeak-ng 1.51")
    mnemonics = tables[TABLES.get(accent, accent)]
    assert len(mnemonics) > 60
    for mnemonic in mnemonics:
        assert set(phonemes_of(mnemonic, accent)) <= set(PHONEMES)


@needs_espeak
@pytest.mark.parametrize("accent", ACCENTS)
def test_many_sentences_are_spoken_and_written_down(accent: str) -> None:
    speech = spoken(accent)
    assert speech.phonemes[0].start == 0
    assert speech.phonemes[-1].end == len(speech.waveform) / SAMPLE_RATE > 30
    assert all(before.end == after.start for before, after in pairwise(speech.phonemes))
    symbols = [phoneme.symbol for phoneme in speech.phonemes]
    assert 0.3 < np.mean([symbol in VOWELS for symbol in symbols]) < 0.6
    assert len(set(symbols)) >= 26
    assert {"m", "n", "k", "t", "s"} <= set(symbols)
    vowels = [level(speech, phoneme) for phoneme in speech.phonemes if phoneme.symbol in VOWELS]
    stops = [
        level(speech, phoneme) for phoneme in speech.phonemes if phoneme.symbol in STOPS - {"b", "d", "g"}
    ]
    assert np.median(vowels) > 2 * np.median(stops)


@needs_espeak
@pytest.mark.parametrize("language", LANGUAGES)
def test_lips_meet_and_part_as_the_language_wants(language: str) -> None:
    whole, fps = spoken(language), 25.0
    phonemes = tuple(phoneme for phoneme in whole.phonemes if phoneme.end < 12)
    speech = Speech(whole.waveform[: round(phonemes[-1].end * SAMPLE_RATE)], phonemes)
    times = (np.arange(int(speech.phonemes[-1].end * fps)) + 0.5) / fps
    parting = lip_parting(speak(speech, times, fps))

    def around(symbols: set[str]) -> np.ndarray:
        """The parting in the three frames around the middle of each such sound (N, 3)."""
        middles = [(p.start + p.end) / 2 for p in speech.phonemes if p.symbol in symbols]
        frames = np.clip(np.array(middles) * fps, 1, len(times) - 2).astype(int)
        return parting[frames[:, None] + np.arange(-1, 2)]

    assert np.percentile(around({"b", "m", "p"}).min(1), 95) < 0.05
    assert np.median(around({"a", "aa", "ae", "ay", "aw"}).max(1)) > 0.18


@needs_espeak
@pytest.mark.parametrize(
    ("voice", "text", "sounds"),
    [
        ("espeak:de", "schöne Bücher, ich", "sh oe n ax b ue x; ax pau ih x;"),
        ("espeak:fr", "un bon vin", "oe~ b ao~ v eh~"),
        ("espeak:es", "perro", "p e rr o"),
        ("espeak:pl", "siedź", "s; eh ch;"),
        ("espeak:zh", "鱼", "y ue"),
        ("espeak:ja", "ふね", "ph eu n e"),
        ("espeak:ru", "мы, show", "m ix pau sh ow"),
        ("espeak:en-us", "the show", "dh ax sh ow"),
    ],
)
def test_words_are_written_down_as_they_sound(voice: str, text: str, sounds: str) -> None:
    symbols = [phoneme.symbol for phoneme in synthesize(text, voice).phonemes]
    assert " ".join(symbols).removeprefix("pau ").removesuffix(" pau") == sounds


@needs_espeak
@pytest.mark.parametrize("language", OTHERS)
def test_every_language_can_be_sung_and_disturbed(language: str) -> None:
    speech = synthesize(sentence_in(language, 3, held_out=True), voices_in(language, held_out=True)[0])
    song = sing(speech, np.random.default_rng(0))
    assert [p.symbol for p in song.phonemes] == [p.symbol for p in speech.phonemes]
    held = [p.end - p.start for p in song.phonemes if p.symbol in VOWELS]
    assert sum(held) > 1.4 * sum(p.end - p.start for p in speech.phonemes if p.symbol in VOWELS)
    disturbed = augment(song.waveform, np.random.default_rng(1), telephones=True)
    assert disturbed.shape == song.waveform.shape
    assert np.isfinite(disturbed).all()
    assert not np.array_equal(disturbed, song.waveform)


def test_a_mnemonic_that_nobody_translated_is_named() -> None:
    with pytest.raises(ValueError, match=r"phoneme 'k\|x' in de.*mnemonics.py"):
        phonemes_of("k|x", "de")


def test_bad_voices_name_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown language 'xx' in 'espeak:xx\\+f2'.*de, .*zh"):
        check_voice("espeak:xx+f2")
    with pytest.raises(ValueError, match="unknown variant 'whisper' in 'espeak:de\\+whisper'.*klatt"):
        check_voice("espeak:de+whisper")
    for voice in ("mbrola:de1", "flite", "de", ""):
        with pytest.raises(ValueError, match="flite:slt or espeak:LANGUAGE"):
            check_voice(voice)
    for voice in (*TRAINING_VOICES, *HELD_OUT_VOICES, "espeak:de", "espeak:pt-br+klatt4"):
        check_voice(voice)


@needs_espeak
def test_every_accent_and_variant_is_installed() -> None:
    """The library takes an unknown variant for none at all, so its files are looked at."""
    assert not [file for file in ACCENTS.values() if not (data_folder() / "lang" / file).exists()]
    assert not [name for name in VARIANTS if not (data_folder() / "voices" / "!v" / name).exists()]


def test_phrases_are_trained_on_or_tested_on() -> None:
    for language in TRAINING_LANGUAGES:
        if language == "en":
            continue
        training, held_out = (phrasebook(language, split) for split in (False, True))
        for slot, phrases in held_out.phrases.items():
            assert not set(phrases) & set(training.phrases[slot]), f"{language} {slot}"
        assert not set(training.patterns) & set(held_out.patterns) - {"{sentence}"}
        texts = {sentence_in(language, seed) for seed in range(100)}
        assert len(texts) > 70
        assert not texts & {sentence_in(language, seed, held_out=True) for seed in range(100)}
        assert sentence_in(language, 5) == sentence_in(language, 5)


def test_held_out_languages_are_not_trained_on() -> None:
    assert len(HELD_OUT_LANGUAGES) >= 2
    assert len(TRAINING_LANGUAGES) >= 13
    for language in HELD_OUT_LANGUAGES:
        assert sentence_in(language, 0, held_out=True)
        with pytest.raises(
            ValueError, match=f"no sentences in '{language}' to train on: choose one of en, ar"
        ):
            sentence_in(language, 0)
    with pytest.raises(ValueError, match="no sentences in 'xx' to test on"):
        sentence_in("xx", 0, held_out=True)


@needs_espeak
def test_a_sentence_that_crashes_espeak_is_said_slower() -> None:
    text = "Bác sĩ trẻ nhặt chai rượu ngon, còn nữ hoàng tìm rau tươi."
    durations = [len(synthesize(text, "espeak:vi+anika", rate).waveform) for rate in (0.8, 1.1, 1.3)]
    assert sorted(durations, reverse=True) == durations
    assert durations[-1] > 2 * SAMPLE_RATE
