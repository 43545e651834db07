"""The table of families is the only place that knows them by name."""

from dataclasses import replace

import pytest
import torch

from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.cues.locator import Cues
from emo_modules.families.family import Family, Hearing, wav2vec2
from emo_modules.families.table import FAMILIES, RELEASES, audio_track, face_cues, family_of, mask_cues
from emo_modules.media.audio import Audio

from ..relatives import small

BOX = Box(2, 3, 5, 6)
FRAMES = 3
SILENCE = Audio(torch.zeros(1600), 16000)


@pytest.fixture
def parrot(monkeypatch) -> EMOConfig:
    """A family that nobody knew: it hears numbers that count, and sees the face's corners."""

    def features(encoder, audio, frames, config):
        rows = torch.arange(frames * config.audio.layers * config.audio.feature_dim, dtype=torch.float32)
        return rows.view(frames, config.audio.layers, config.audio.feature_dim)

    def cues(face, height, width, mesh):
        return Cues(torch.tensor([face.x0, face.y0, face.x1, face.y1])[None], None)

    monkeypatch.setitem(FAMILIES, "parrot", Family(wav2vec2("a parrot's ear", features), cues))
    return replace(small("v_express"), family="parrot", name="polly")


def test_a_new_family_is_one_row(parrot):
    hearing: Hearing = family_of(parrot).hearing
    rows = audio_track(hearing.build(parrot.audio), SILENCE, FRAMES, parrot)
    assert rows.flatten().tolist() == list(range(FRAMES * parrot.audio.layers * parrot.audio.feature_dim))
    assert face_cues(parrot, BOX, 8, 8).picture.tolist() == [[2, 3, 5, 6]]
    assert mask_cues(parrot, torch.ones(8, 8)).picture.shape == (1, 4)


def test_another_encoder_than_the_familys_is_refused(parrot):
    whisper = small("echomimic")
    ear = family_of(whisper).hearing.build(whisper.audio)
    with pytest.raises(ValueError, match="polly was trained on a parrot's ear, this encoder is WhisperEncod"):
        audio_track(ear, SILENCE, FRAMES, parrot)


def test_a_family_that_is_not_in_the_table_is_refused():
    with pytest.raises(ValueError, match="family 'parrot', known are emo, hallo, echomimic, v_express"):
        family_of(EMOConfig(family="parrot"))


def test_every_release_is_of_the_family_that_publishes_it():
    assert all(
        release.config.family == name for name, row in FAMILIES.items() for release in row.releases.values()
    )
    assert sum(len(row.releases) for row in FAMILIES.values()) == len(RELEASES)
