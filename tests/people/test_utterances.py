from collections.abc import Iterable

import numpy as np

from emo_people.speech.phrasebook import HELD_OUT_LANGUAGES, LANGUAGES, TRAINING_LANGUAGES
from emo_people.speech.synthesis import synthesize
from emo_people.speech.utterances import utterance
from emo_people.speech.voices import HELD_OUT_VARIANTS, VARIANTS

from ..voices import needs_voices


def variants(voices: Iterable[str]) -> set[str]:
    return {voice.partition("+")[2] for voice in voices if voice.startswith("espeak:")}


def test_utterances_keep_languages_voices_and_sentences_apart() -> None:
    training, held_out = ([utterance(seed, split) for seed in range(500)] for split in (False, True))
    assert {one.language for one in training} == set(TRAINING_LANGUAGES)
    assert {one.language for one in held_out} == set(LANGUAGES)
    assert not {one.text for one in training} & {one.text for one in held_out}
    assert not {one.voice for one in training} & {one.voice for one in held_out}
    assert variants(one.voice for one in held_out) == set(HELD_OUT_VARIANTS)
    assert variants(one.voice for one in training) == set(VARIANTS) - set(HELD_OUT_VARIANTS)
    assert len({one.voice for one in training}) > 250
    assert utterance(7) == utterance(7)
    assert 0.4 < np.mean([one.language in HELD_OUT_LANGUAGES for one in held_out]) < 0.6


@needs_voices
def test_an_utterance_speaks() -> None:
    one = utterance(0)
    assert one.speak().phonemes == synthesize(one.text, one.voice, one.rate, one.pitch).phonemes
