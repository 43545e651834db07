"""The audio encoder's lessons: what is said ahead, what it hears of it, and how that is measured."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.media.audio import SAMPLE_RATE
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_people.networks.fit import OneCycle, write_weights
from emo_people.recipe import listening
from emo_people.recipe.config import AUDIO
from emo_people.recipe.listening import (
    Hearing,
    Listening,
    SoundPool,
    encode_layouted,
    hear_bands,
    heard_loss,
    tilt,
    train_listening,
)
from emo_people.recipe.sounds import (
    STEP,
    files_ahead,
    make_check,
    make_recorded,
    make_sound,
    read_sounds,
    speak_ahead,
)
from emo_people.speech.alphabet import PHONEMES
from emo_people.speech.phrasebook import HELD_OUT_LANGUAGES

from ..voices import needs_voices


@pytest.fixture(scope="module")
def encoder() -> AudioEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AudioEncoder(AUDIO.encoder, AUDIO.normalize).eval()


def write_tones(folder: Path, seconds: int = 20) -> None:
    """One sound in which phoneme k is a tone of 300 + 200 k Hz, a new one every fifth of a second."""
    phonemes = np.repeat(np.random.default_rng(0).integers(0, 12, 5 * seconds), 10).astype(np.uint8)
    hertz = np.repeat(300 + 200 * phonemes.astype(float), STEP)
    tone = 8000 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE)
    np.savez(
        folder / "sounds-0000.npz",
        waveforms=tone.astype(np.int16),
        phonemes=phonemes,
        lengths=np.array([len(phonemes)]),
        languages=np.array(["en"]),
        altered=np.array([False]),
    )


@needs_voices
def test_sounds_have_a_phoneme_for_every_fiftieth_of_a_second() -> None:
    sounds = [make_sound(seed) for seed in range(6)]
    for sound in sounds:
        assert sound.waveform.dtype == np.int16
        assert len(sound.waveform) == STEP * len(sound.phonemes) >= 5 * SAMPLE_RATE - STEP
        assert not sound.unseen_language
    quiet, loud = (
        np.concatenate([s.waveform.reshape(-1, STEP)[(s.phonemes == 0) == mute] for s in sounds]).std()
        for mute in (True, False)
    )
    assert loud > 3 * quiet
    assert {sound.altered for sound in sounds} == {False, True}
    assert np.array_equal(make_sound(3).waveform, sounds[3].waveform)


@needs_voices
def test_half_of_what_it_is_checked_with_is_in_unseen_languages() -> None:
    checks = [make_check(seed) for seed in range(8)]
    assert {sound.unseen_language for sound in checks} == {False, True}
    assert all(sound.unseen_language == (sound.language in HELD_OUT_LANGUAGES) for sound in checks)


@needs_voices
def test_recorded_voices_have_sounds_of_their_own() -> None:
    said = []
    for seed in range(2):
        sound = make_recorded(seed)
        assert sound.language == "en"
        said.append(sound.waveform)
    assert len(said[0]) != len(said[1])


@needs_voices
def test_what_was_spoken_ahead_is_read_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sounds-\*\.npz"):
        files_ahead(tmp_path, "sounds")
    speak_ahead(tmp_path, "sounds", 2)
    (file,) = files_ahead(tmp_path, "sounds")
    written = file.stat().st_mtime_ns
    speak_ahead(tmp_path, "sounds", 2)
    assert file.stat().st_mtime_ns == written
    for seed, sound in enumerate(read_sounds([file])):
        again = make_sound(seed)
        assert np.array_equal(sound.waveform, again.waveform)
        assert np.array_equal(sound.phonemes, again.phonemes)
        assert (sound.language, sound.altered) == (again.language, again.altered)


def test_training_computes_what_the_encoder_does(encoder: AudioEncoder) -> None:
    waveform = torch.randn(2, 9000)
    torch.testing.assert_close(encode_layouted(encoder, waveform), encoder(waveform)[:, :, -1])


def test_first_filters_pass_the_bands_of_the_mel_scale() -> None:
    encoder = AudioEncoder(AUDIO.encoder, AUDIO.normalize)
    hear_bands(encoder)
    bank = encoder.feature_extractor.conv_layers[0].conv.weight[:, 0].detach()
    peaks = torch.fft.rfft(bank, 1600).abs().argmax(1).view(-1, 4) * 10.0
    centres = peaks.mean(1)
    assert (centres.diff() > -1).all()
    assert centres[0] < 500
    assert centres[-1] == pytest.approx(7600, abs=150)
    assert math.log1p(centres[16] / 700) == pytest.approx(math.log1p(7600 / 700) / 2, rel=0.15)
    assert bank.mean(1).abs().max() < 1e-3 * bank.abs().max()  # no filter hears the waveform's mean


@pytest.mark.parametrize("perturbed", [0.0, 1.0])
def test_labels_are_those_of_the_sound_under_each_feature(
    perturbed: float, encoder: AudioEncoder, tmp_path: Path
) -> None:
    write_tones(tmp_path)
    training = Listening(1.0, heard=8.0, perturbed=perturbed, noisy=0.0)
    waveforms, labels = SoundPool(tmp_path).crops(encoder, 2.0, training, torch.Generator().manual_seed(0))
    assert waveforms.shape == (4, 2 * SAMPLE_RATE)
    assert labels.shape == encoder(waveforms).shape[:2]
    field, stride = encoder.receptive_field, encoder.stride
    heard = torch.fft.rfft(waveforms.unfold(1, field, stride) * torch.hann_window(field), SAMPLE_RATE)
    hertz = heard.abs().argmax(-1)
    tempo = torch.stack([(h / (300 + 200 * said)).median() for h, said in zip(hertz, labels, strict=True)])
    assert ((tempo - 1).abs() < 0.01).all() if not perturbed else ((tempo - 1).abs() > 0.005).all()
    near = ((hertz / tempo[:, None] - 300) / 200 - labels).abs() < 0.5
    assert near.float().mean() > 0.9


def test_a_tilt_moves_the_treble_and_keeps_the_level() -> None:
    noise = torch.randn(2, SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    power = torch.fft.rfft(tilt(noise, torch.tensor([[0.9], [-0.6]]))).abs() ** 2
    bass, treble = power[:, 50:1000].mean(1), power[:, 6000:].mean(1)
    assert treble[0] > 10 * bass[0]
    assert bass[1] > 5 * treble[1]
    assert (power.sum(1) / (torch.fft.rfft(noise).abs() ** 2).sum(1) - 1).abs().max() < 0.01


def test_a_wrong_sound_of_the_right_mouth_shape_costs_less() -> None:
    def loss(heard: str, said: str) -> float:
        scores = torch.zeros(1, len(PHONEMES))
        scores[0, PHONEMES.index(heard)] = 8.0
        parts = heard_loss(scores, torch.tensor([PHONEMES.index(said)]), Listening(1.0))
        return float(sum(parts.values()))

    assert loss("m", "m") < loss("b", "m") < loss("k", "m")


def test_recall_and_precision_of_a_group() -> None:
    ids = {symbol: PHONEMES.index(symbol) for symbol in ("pau", "b", "m", "a")}
    said = torch.tensor([ids[s] for s in ("pau", "pau", "b", "m", "a", "a")])
    heard = torch.tensor([ids[s] for s in ("pau", "a", "m", "m", "a", "pau")])
    hearing = Hearing(said, heard)
    assert hearing.accuracy == pytest.approx(3 / 6)
    assert hearing.shape_accuracy == pytest.approx(4 / 6)
    assert hearing.recall("pau") == hearing.precision("pau") == 0.5
    assert hearing.recall("b", "m", "p") == 1.0
    assert hearing.recall("b") == 0.0


def test_training_writes_weights_that_load_and_fit_in_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tones(tmp_path)
    # So many steps instead of minutes, however busy the machine is.
    monkeypatch.setattr(listening, "WallClock", lambda steps, lr, **_: OneCycle(steps, lr))
    (sound,) = read_sounds(files_ahead(tmp_path, "sounds"))
    file, log = tmp_path / "audio_encoder.safetensors", list[str]()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, head = train_listening(
            AUDIO, tmp_path, [sound], file, Listening(40, heard=4.0, noisy=0.0, perturbed=0.0), log.append
        )
    assert Hearing.of(encoder, head, [sound]).accuracy > 0.2  # of twelve phonemes
    assert "accuracy" in log[-1]
    loaded = AudioEncoder(AUDIO.encoder, AUDIO.normalize)
    load_strict(loaded, read_weights(file, "the encoder"), str(file))
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), encoder.parameters(), strict=True))
    further, _ = train_listening(AUDIO, tmp_path, [sound], file, Listening(2, lr=1e-4, heard=4.0), log.append)
    steps = [a - b for a, b in zip(loaded.parameters(), further.parameters(), strict=True)]
    assert 0 < max(step.abs().max() for step in steps) < 0.01  # it went on from there
    write_weights(encoder, tmp_path / "half.safetensors", torch.float16)
    assert (tmp_path / "half.safetensors").stat().st_size < 1.5e6
