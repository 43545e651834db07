import math

import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper import modeling_whisper

from emo_modules.media.audio import Audio
from emo_modules.speech import whisper
from emo_modules.speech.whisper import WHISPER_TINY, WhisperEncoder, encode_whisper, log_mel

CONFIG = {
    "d_model": 32,
    "encoder_layers": 3,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "num_mel_bins": 20,
    "max_source_positions": 50,
}


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return WhisperEncoder(CONFIG).eval()


def noise(samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, generator=generator) * torch.linspace(0, 9 * math.pi, samples).sin().abs()


def test_keys_and_outputs_are_those_of_transformers(encoder):
    original = modeling_whisper.WhisperEncoder(WhisperConfig(**CONFIG)).eval()
    assert list(encoder.state_dict()) == list(original.state_dict())
    encoder.load_state_dict(original.state_dict())

    mel = torch.randn(2, 20, 100)
    with torch.no_grad():
        theirs = original(mel, output_hidden_states=True)
        ours = encoder.hidden_states(mel)
        assert ours.shape == (2, 50, 4, 32)
        for layer in range(3):
            assert (ours[:, :, layer] - theirs.hidden_states[layer]).abs().max() < 1e-5
        # The last one is taken before the final norm.
        assert (encoder.layer_norm(ours[:, :, 3]) - theirs.last_hidden_state).abs().max() < 1e-5
        assert (ours[:, :, 3] - theirs.last_hidden_state).abs().max() > 0.01


def test_tiny_has_the_size_that_echomimic_expects():
    with torch.device("meta"):
        tiny = WhisperEncoder(WHISPER_TINY)
    assert tiny.conv1.weight.shape == (384, 80, 3)
    assert tiny.embed_positions.weight.shape == (1500, 384)
    assert [tuple(layer.fc1.weight.shape) for layer in tiny.layers] == [(1536, 384)] * 4
    assert tiny.layers[0].self_attn.num_heads == 6


def test_log_mel_is_that_of_transformers_feature_extractor():
    waveform = noise(480000)
    theirs = WhisperFeatureExtractor()(waveform.numpy(), sampling_rate=16000, return_tensors="pt")
    assert (log_mel(waveform) - theirs.input_features[0]).abs().max() < 1e-5


def test_log_mel_does_not_depend_on_the_pieces(monkeypatch):
    waveform = noise(16079)
    whole = log_mel(waveform, 20)
    assert whole.shape == (20, 100)
    monkeypatch.setattr(whisper, "SPECTRUM_PIECE", 7)
    assert (log_mel(waveform, 20) - whole).abs().max() < 1e-5


def test_log_mel_is_cut_below_the_maximum_of_the_whole_clip():
    quiet = 1e-3 * noise(8000)
    mel = log_mel(torch.cat([quiet, 100 * noise(8000)]))
    assert abs(mel.max() - mel.min() - 2) < 1e-5
    assert (mel[:, :45] - log_mel(quiet)[:, :45]).max() > 0.5


@pytest.mark.parametrize(
    ("samples", "rows"), [(1, 1), (319, 1), (640, 2), (16000, 50), (16320, 51), (40159, 125)]
)
def test_rows_come_at_50_a_second(encoder, samples, rows):
    features = encode_whisper(encoder, Audio(noise(samples)))
    assert features.shape == (rows, 4, 32) and features.dtype == torch.float32
    assert features.isfinite().all()


def test_windows_do_not_overlap_and_the_last_is_filled_with_spectrogram_zeros(encoder):
    waveform = noise(36000)
    mel = log_mel(waveform, 20)
    assert mel.shape == (20, 225)
    windows = torch.zeros(3, 20, 100)
    for index in range(3):
        part = mel[:, 100 * index : 100 * (index + 1)]
        windows[index, :, : part.shape[1]] = part
    with torch.no_grad():
        expected = encoder.hidden_states(windows).flatten(0, 1)[:112]
    assert (encode_whisper(encoder, Audio(waveform)) - expected).abs().max() < 1e-5


def test_the_encoder_sees_one_window_at_a_time(encoder, monkeypatch):
    shapes = []
    hidden_states = encoder.hidden_states
    monkeypatch.setattr(encoder, "hidden_states", lambda mel: shapes.append(mel.shape) or hidden_states(mel))
    assert encode_whisper(encoder, Audio(noise(16000 * 7))).shape == (350, 4, 32)
    assert shapes == [(1, 20, 100)] * 7


def test_a_half_precision_encoder_gives_float32_features(encoder):
    waveform = noise(16000)
    exact = encode_whisper(encoder, Audio(waveform))
    features = encode_whisper(encoder.to(torch.bfloat16), Audio(waveform))
    assert features.dtype == torch.float32
    assert 0 < (features - exact).abs().max() < 0.1
