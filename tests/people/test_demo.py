"""The built-in model, and the recipe that makes one like it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.media.audio import load_audio
from emo_modules.media.image import load_image
from emo_modules.pipeline import Options, Pipeline
from emo_people.evaluation.subject import pipeline_subject
from emo_people.filming.cases import make_case
from emo_people.networks.reader import WEIGHTS
from emo_people.recipe.audio_encoder import AudioTraining
from emo_people.recipe.demo import DemoRecipe, make_demo
from emo_people.recipe.vae import VAETraining
from emo_training.evaluation.metrics import pearson
from emo_training.perception.avatar_reader import load_reader, read_frames

from ..voices import needs_voices

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def demo() -> Pipeline:
    return Pipeline.load()


def test_files_are_small_enough_for_git():
    sizes = [path.stat().st_size for path in DEMO_CHECKPOINT.glob("*.safetensors")]
    assert sizes
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) < 60e6


def test_sample_portrait_speaks_in_its_own_colours(demo):
    portrait = load_image(SAMPLES / "portrait.png")
    sound = load_audio(SAMPLES / "speech.wav").fit_to_frames(13, 25)
    animation = demo.animate(portrait, sound, Options(seed=1))
    frames = torch.cat(list(animation.frames))
    assert frames.shape == (13, 128, 128, 3)
    assert (frames[:, :20, :20] - portrait[:20, :20]).abs().mean() < 0.02  # background
    assert (frames[:, 85:110, 45:85].std(0) > 0.02).float().mean() > 0.1  # the mouth moves


@needs_voices
def test_lips_follow_an_unseen_speaker_and_not_another_sound(demo):
    case, reader = make_case(1_077_001, 2.4, 2.4), load_reader(WEIGHTS)
    generate = pipeline_subject(demo, Options()).generate

    def opening(waveform: np.ndarray) -> np.ndarray:
        frames, _ = generate(case.portrait, waveform, case.frames, case.head_speed, 0)
        return read_frames(reader, frames).mouth_open.numpy()

    assert pearson(opening(case.waveform), case.performance.mouth_open) > 0.6
    reversed_sound = np.ascontiguousarray(case.waveform[::-1])
    assert pearson(opening(reversed_sound), case.performance.mouth_open) < 0.4


@needs_voices
def test_one_command_makes_a_model_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("emo_people.recipe.demo.SHOWN", 1)
    # accelerate keeps one precision per process, and the other tests train in full precision
    short = {"steps": 1, "warmup": 0, "save_every": 1, "precision": "no"}
    stages = tuple(
        replace(stage, sampling=replace(stage.sampling, batch=1), **short) for stage in DemoRecipe().stages
    )
    recipe = DemoRecipe(6, 3, vae=VAETraining(0.01), audio=AudioTraining(0.01), reader_steps=2, stages=stages)
    written = make_demo(tmp_path, recipe, log=lambda line: None)
    made = Pipeline.load(written[0].parent)
    sound = load_audio(SAMPLES / "speech.wav").fit_to_frames(3, 25)
    animation = made.animate(load_image(SAMPLES / "portrait.png"), sound)
    assert torch.cat(list(animation.frames)).shape == (3, 128, 128, 3)
    assert (tmp_path / "speed" / "samples-000001.png").exists()
    again = make_demo(tmp_path, recipe, log=lambda line: None)  # every part is there: nothing is made anew
    assert again == written
