"""What is said and by which voice: everything that a sentence's sound follows from."""

from dataclasses import dataclass

import numpy as np

from .phrasebook import HELD_OUT_LANGUAGES, TRAINING_LANGUAGES, sentence_in
from .synthesis import Speech, synthesize
from .voices import HELD_OUT_VOICES, TRAINING_VOICES, voices_in

_ENGLISH_SHARE, _HELD_OUT_LANGUAGE_SHARE = 0.2, 0.5
_STREAM = 0x5A1D


@dataclass(frozen=True)
class Utterance:
    """A sentence in one of `LANGUAGES`, the voice that says it, and factors of its own rate and pitch."""

    language: str
    text: str
    voice: str
    rate: float = 1.0
    pitch: float = 1.0

    def speak(self) -> Speech:
        """Raises FileNotFoundError naming the Debian package when the synthesizer is not installed."""
        return synthesize(self.text, self.voice, self.rate, self.pitch)


def utterance(seed: int, held_out: bool = False) -> Utterance:
    """Anything that may be said. Held-out voices, sentences and languages are those that training never sees.

    A fifth of what is trained on is English, half of that with flite's recorded voices; the other languages
    share the rest. Half of what is held out is in languages that are not trained on.
    """
    rng = np.random.default_rng([_STREAM, seed, held_out])
    language = _language(rng, held_out)
    return Utterance(
        language,
        sentence_in(language, seed, held_out),
        _voice(language, rng, held_out),
        rate=float(rng.uniform(0.8, 1.3)),
        pitch=float(rng.uniform(0.75, 1.4)),
    )


def _language(rng: np.random.Generator, held_out: bool) -> str:
    if held_out and rng.random() < _HELD_OUT_LANGUAGE_SHARE:
        return str(rng.choice(HELD_OUT_LANGUAGES))
    return "en" if rng.random() < _ENGLISH_SHARE else str(rng.choice(TRAINING_LANGUAGES[1:]))


def _voice(language: str, rng: np.random.Generator, held_out: bool) -> str:
    if language == "en" and rng.random() < 0.5:
        voices = HELD_OUT_VOICES if held_out else TRAINING_VOICES
        return str(rng.choice([voice for voice in voices if voice.startswith("flite:")]))
    return str(rng.choice(voices_in(language, held_out)))
