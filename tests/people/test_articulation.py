"""The audio projection's first lesson: what is spoken for it, what it learns of it, and how that is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.config import EMOConfig
from emo_modules.media.audio import SAMPLE_RATE, Audio
from emo_modules.models.conditioning import AudioProjection
from emo_modules.models.emo import EMO
from emo_modules.speech.wav2vec2 import AudioEncoder, context_windows, encode_audio
from emo_people.acting.face import ACTIONS, INDEX
from emo_people.acting.visemes import lip_parting
from emo_people.filming.seeds import HELD_OUT
from emo_people.filming.speakers import FPS
from emo_people.recipe.articulation import (
    MEASURES,
    Articulation,
    Articulator,
    HeardFrames,
    correlations,
    figures,
    load_projection,
    measure,
    off_unit,
    train_articulation,
    write_projection,
)
from emo_people.recipe.config import BUILT_IN
from emo_people.recipe.spoken import Spoken, act_out, read_spoken, speak_ahead
from emo_people.speech.alphabet import PHONEMES

from ..voices import needs_voices

SHAPE = {"block_out_channels": (16, 16), "attention_levels": (True, True), "heads": 2, "norm_groups": 8}
CONFIG = replace(
    BUILT_IN,
    backbone=replace(BUILT_IN.backbone, **SHAPE),
    reference_net=replace(BUILT_IN.reference_net, **SHAPE),
    audio=replace(BUILT_IN.audio, context=2, hidden_dim=32),
)
STEP = round(SAMPLE_RATE / FPS)


@pytest.fixture(scope="module")
def encoder() -> AudioEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AudioEncoder(CONFIG.audio.encoder, CONFIG.audio.normalize).eval()


def hum(seed: int, frames: int = 60) -> Spoken:
    """The jaw opens as far as a tone is loud; in silence and at m, which is as silent, the mouth is shut."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.choice([0, 0, 0.3, 0.6, 1], frames // 6), 6)
    tone = np.sin(2 * np.pi * 300 * np.arange(frames * STEP) / SAMPLE_RATE)
    actions = np.zeros((frames, len(ACTIONS)), np.float16)
    actions[:, INDEX["jawOpen"]] = 0.6 * loud
    still = np.where(np.arange(frames) % 2, PHONEMES.index("m"), PHONEMES.index("pau"))
    phonemes = np.where(loud > 0, PHONEMES.index("aa"), still).astype(np.uint8)
    return Spoken(seed, (9000 * np.repeat(loud, STEP) * tone).astype(np.int16), actions, phonemes)


def hums(seeds: range, encoder: AudioEncoder, config: EMOConfig = CONFIG) -> HeardFrames:
    return HeardFrames.of(map(hum, seeds), encoder, config)


def test_frames_are_heard_as_inference_hears_them(encoder: AudioEncoder) -> None:
    one, two = hum(0), hum(1, frames=30)
    heard = HeardFrames.of([one, two], encoder, CONFIG)
    sound = Audio(torch.from_numpy(two.waveform).float() / 32768)
    frames = torch.arange(30)
    wanted = context_windows(encode_audio(encoder, sound, 30, CONFIG.fps), CONFIG, frames)
    found = heard.windows(60 + frames)
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=1e-3)
    assert heard.utterance.tolist() == [0] * 60 + [1] * 30
    assert heard.held_out.tolist() == [False, False]


def test_a_measure_is_of_one_side_or_of_both_lips() -> None:
    actions = np.random.default_rng(0).uniform(0, 1, (3, len(ACTIONS))).astype(np.float32)
    found = measure(actions)
    assert "mouthSmileLeft" in MEASURES and "mouthSmileRight" not in MEASURES
    np.testing.assert_array_equal(found[:, MEASURES.index("jawOpen")], actions[:, INDEX["jawOpen"]])
    np.testing.assert_allclose(found[:, MEASURES.index("parting")], lip_parting(actions), rtol=1e-5)


def test_a_short_training_tells_mouths_that_it_never_saw(encoder: AudioEncoder) -> None:
    training = Articulation(minutes=0.05, batch=64)
    log: list[str] = []
    articulator = train_articulation(
        CONFIG, hums(range(12), encoder), hums(range(HELD_OUT, HELD_OUT + 4), encoder), training, log.append
    )
    assert articulator.names == ["jawOpen", "parting"]  # nothing else moves
    heard = hums(range(20, 24), encoder)
    found = figures(articulator, heard)
    assert found["r jawOpen"] > 0.9
    assert found["shut at silence"] > 0.8 and found["shut at b m p"] > 0.8
    assert found["shut at wide open"] < 0.2
    every = torch.arange(len(heard))
    tokens, _ = articulator(heard.windows(every))
    assert off_unit(tokens.flatten(1)) < 0.5
    assert "r jawOpen" in log[-1]


def test_what_is_held_out_is_not_trained_on(encoder: AudioEncoder) -> None:
    heard = hums(range(HELD_OUT - 1, HELD_OUT + 1), encoder)
    with pytest.raises(ValueError, match="held out"):
        train_articulation(CONFIG, heard, heard, Articulation(minutes=0.01))


def test_the_file_becomes_the_models_own_projection(tmp_path: Path, encoder: AudioEncoder) -> None:
    heard, path = hums(range(2), encoder), tmp_path / "articulation.safetensors"
    articulator = Articulator(CONFIG, heard.measures)
    write_projection(articulator, path)
    model = EMO(CONFIG)
    before = model.backbone.state_dict()
    kept = {name: value.clone() for name, value in before.items()}
    load_projection(model, path)
    windows = heard.windows(torch.arange(3))[None]
    assert isinstance(model.audio_projection, AudioProjection)
    torch.testing.assert_close(model.audio_projection(windows), articulator.audio_projection(windows))
    assert all(torch.equal(value, before[name]) for name, value in kept.items())


def test_a_projection_of_another_width_is_refused(tmp_path: Path, encoder: AudioEncoder) -> None:
    path = tmp_path / "articulation.safetensors"
    write_projection(Articulator(CONFIG, hums(range(2), encoder).measures), path)
    model = EMO(replace(CONFIG, audio=replace(CONFIG.audio, hidden_dim=24)))
    with pytest.raises(ValueError, match="proj1"):
        load_projection(model, path)


def test_correlations_are_within_an_utterance() -> None:
    told = torch.tensor([[0.0], [1.0], [2.0], [5.0], [4.0], [3.0], [7.0], [7.0]])
    true = torch.tensor([[10.0], [20.0], [30.0], [1.0], [2.0], [3.0], [1.0], [2.0]])
    found = correlations(told, true, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, -1.0, torch.nan]), equal_nan=True)


@needs_voices
def test_speech_keeps_its_silence_and_what_it_says_of_the_mouth(tmp_path: Path) -> None:
    one = act_out(3)
    frames = len(one.phonemes)
    assert one.actions.shape == (frames, len(ACTIONS))
    assert frames == int(len(one.waveform) * FPS / SAMPLE_RATE)
    silent = one.phonemes == PHONEMES.index("pau")
    assert silent[0] and silent[-1]
    assert lip_parting(one.actions[[0, -1]].astype(float)).max() < 0.03
    assert lip_parting(one.actions[~silent].astype(float)).max() > 0.15
    paths = speak_ahead(tmp_path, range(3, 5))
    read = list(read_spoken(paths))
    assert [found.seed for found in read] == [3, 4]
    np.testing.assert_array_equal(read[0].waveform, one.waveform)
    np.testing.assert_array_equal(read[0].actions, one.actions)
    assert not read[0].held_out and act_out(HELD_OUT).held_out
