"""A film that the command `person` makes is footage like any other."""

import json

import numpy as np
import pytest

from emo_people.filming.take import Direction, rehearse, write_take
from emo_training.footage.config import PrepareConfig
from emo_training.footage.prepare import Tools, prepare_source
from emo_training.footage.sources import find_sources
from emo_training.footage.spans import Drop
from emo_training.perception.analyzers import load_analyzer

from ..voices import needs_voices
from .gl import drawn as drawn

DIRECTION = Direction(7, "Emma found a silver spoon.", "flite:slt", size=(256, 256))


@pytest.fixture(scope="module")
def take():
    """Spoken before there is a studio."""
    return rehearse(DIRECTION)


@needs_voices
def test_it_becomes_one_sample_whose_mouth_opens_as_it_truly_did(take, drawn, tmp_path):
    write_take(tmp_path / "emma", DIRECTION, take, drawn)
    truth = json.loads((tmp_path / "emma" / "truth.json").read_text())["frames"]
    (source,) = (source for source in find_sources(tmp_path) if source.path.name == "truth.mp4")
    config = PrepareConfig(size=256, min_seconds=1)
    (sample,) = prepare_source(source, config, Tools(load_analyzer(config.analyzer)), tmp_path)
    assert not isinstance(sample, Drop), sample
    assert sample.facts["identity"] == "emma" and sample.facts["frames"] == len(truth)
    opened = np.array([frame["mouth_open"] for frame in truth])
    assert np.corrcoef(sample.arrays["openings"][:, 0], opened)[0, 1] > 0.7
