"""Sentences in many languages, put together from phrases; held-out ones are made of other phrases."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from . import sentences

LANGUAGES: dict[str, str] = {
    "en": "English", "ar": "Arabic", "cs": "Czech", "de": "German", "el": "Greek", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "sw": "Swahili",
    "tr": "Turkish", "vi": "Vietnamese", "zh": "Mandarin",
}  # fmt: skip
HELD_OUT_LANGUAGES: tuple[str, ...] = ("cs", "el", "ko")
TRAINING_LANGUAGES: tuple[str, ...] = tuple(code for code in LANGUAGES if code not in HELD_OUT_LANGUAGES)

_SLOT = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Phrasebook:
    """Patterns with slots such as {verb}, and the phrases that fill each."""

    patterns: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]

    def sentence(self, rng: np.random.Generator) -> str:
        """A random pattern, each slot filled at random, beginning with a capital."""
        pattern = str(rng.choice(self.patterns))
        text = _SLOT.sub(lambda slot: str(rng.choice(self.phrases[slot[1]])), pattern)
        return text[0].upper() + text[1:]


@cache
def phrasebook(language: str, held_out: bool) -> Phrasebook:
    """The phrases of a language other than English. A held-out language has no others."""
    file = Path(__file__).parent / "phrases" / f"{language}.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))["held_out" if held_out else "training"]
    patterns = tuple(content.pop("patterns"))
    return Phrasebook(patterns, {slot: tuple(text.split(" | ")) for slot, text in content.items()})


def sentence_in(language: str, seed: int, held_out: bool = False) -> str:
    """A sentence in one of `LANGUAGES`. Raises ValueError for others, and to train on a held-out one."""
    choices = LANGUAGES if held_out else TRAINING_LANGUAGES
    if language not in choices:
        purpose = "to test on" if held_out else "to train on"
        raise ValueError(f"no sentences in {language!r} {purpose}: choose one of {', '.join(choices)}")
    if language == "en":
        return sentences.sentence(seed, held_out)
    rng = np.random.default_rng([seed, held_out, *language.encode()])
    return phrasebook(language, held_out).sentence(rng)
