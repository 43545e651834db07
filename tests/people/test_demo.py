"""The built-in model: what comes with the pack animates the sample, and lips follow a voice."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.cues.face import resize
from emo_modules.media.audio import Audio, load_audio
from emo_modules.media.image import load_image, to_bytes
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_people.evaluation.person_films import Seen
from emo_people.filming.take import Direction, rehearse
from emo_training.evaluation.metrics import pearson
from emo_training.perception.faces import PeopleAnalyzer

from ..voices import needs_voices
from .gl import drawn as drawn

SAMPLES = Path(__file__).parents[2] / "samples"
CLIPS = 3


@pytest.fixture(scope="module")
def demo() -> Pipeline:
    return Pipeline.load()


@pytest.fixture(scope="module")
def take():
    """Spoken before there is a studio."""
    return rehearse(
        Direction(
            1_900_001, "A happy person makes more of every day.", "flite:slt", (256, 256), head_speed=6.0
        )
    )


def test_files_are_small_enough_for_git():
    sizes = [path.stat().st_size for path in DEMO_CHECKPOINT.glob("*.safetensors")]
    assert sizes
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) < 60e6


def test_the_sample_portrait_speaks(demo):
    portrait, count = load_image(SAMPLES / "portrait.png"), demo.config.clip_frames
    sound = load_audio(SAMPLES / "speech.wav").fit_to_frames(count, 25)
    animation = demo.animate(portrait, sound, Options(seed=1))
    frames = torch.cat(list(animation.frames))
    assert frames.shape == (count, 256, 256, 3)
    small = resize(portrait.movedim(-1, 0)[None], 256, 256)[0].movedim(0, -1)
    assert (frames[:, :40, :40] - small[:40, :40]).abs().mean() < 0.03  # background
    assert (frames[:, 125:165, 105:150].std(0) > 0.02).float().mean() > 0.1  # the mouth moves


def test_previews_show_what_is_decoded(demo):
    portrait = load_image(SAMPLES / "portrait.png").movedim(-1, 0)[None]
    latents = demo.vae.encode(resize(portrait, 256, 256) * 2 - 1)
    with torch.no_grad():
        sketched, decoded = demo.vae.sketch(latents), demo.vae.decode(latents)
    assert (sketched - decoded).abs().mean() < 0.03  # of -1..1


@needs_voices
def test_lips_follow_a_voice_that_was_never_heard(demo, take, drawn):
    frames = CLIPS * demo.config.clip_frames
    sound = Audio(torch.from_numpy(take.waveform)).fit_to_frames(frames, 25)
    portrait = torch.from_numpy(take.portrait(drawn)).float() / 255
    made = torch.cat(list(demo.animate(portrait, sound, Options(seed=0, head_speed=6.0)).frames))
    opening = Seen.of(to_bytes(made).numpy(), PeopleAnalyzer.load()).opening
    true = np.array([row["mouth_open"] for row in take.truth(drawn)[:frames]])
    assert pearson(opening, true) > 0.6
    assert pearson(opening[::-1], true) < 0.4
