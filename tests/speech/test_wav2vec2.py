import math

import pytest
import torch

from emo_modules.config import AudioConfig, EMOConfig
from emo_modules.media.audio import Audio
from emo_modules.quirks import Quirks
from emo_modules.speech.wav2vec2 import AudioEncoder, context_windows, encode_audio

CONFIG = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
}


def make_encoder(do_normalize=True, **changes):
    torch.manual_seed(0)
    return AudioEncoder(CONFIG | changes, do_normalize).eval()


def noise(seconds, seed=0):
    generator = torch.Generator().manual_seed(seed)
    loudness = 0.2 + torch.linspace(0, 9 * math.pi, round(16000 * seconds)).sin().abs()
    return torch.randn(len(loudness), generator=generator) * loudness


@pytest.mark.parametrize("changes", [{}, {"feat_extract_norm": "group"}, {"do_stable_layer_norm": True}])
def test_keys_and_outputs_are_those_of_transformers(changes):
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    original = Wav2Vec2Model(Wav2Vec2Config(**(CONFIG | changes))).eval()
    encoder = make_encoder(**changes)
    assert list(encoder.state_dict()) == list(original.state_dict())
    encoder.load_state_dict(original.state_dict())

    waveform = noise(1)[None].repeat(2, 1)
    with torch.no_grad():
        theirs = original(waveform, output_hidden_states=True)
        ours = encoder(waveform)
    assert ours.shape == (2, 49, 3, 32)
    for layer in range(2):
        assert (ours[:, :, layer] - theirs.hidden_states[layer + 1]).abs().max() < 1e-5
    assert (ours[:, :, 2] - theirs.last_hidden_state).abs().max() < 1e-5


def test_stride_and_receptive_field_come_from_the_config():
    encoder = make_encoder()
    assert (encoder.stride, encoder.receptive_field) == (320, 400)
    small = make_encoder(conv_dim=[8, 8], conv_kernel=[10, 4], conv_stride=[5, 4])
    assert (small.stride, small.receptive_field) == (20, 25)
    with torch.no_grad():
        assert small(torch.zeros(1, 25)).shape[1] == 1
        assert small(torch.zeros(1, 44)).shape[1] == 1
        assert small(torch.zeros(1, 45)).shape[1] == 2


def test_normalisation_covers_the_clip_and_survives_silence():
    encoder = make_encoder()
    normal = encoder.normalize(noise(2) * 3 + 5)
    assert abs(normal.mean()) < 1e-4 and abs(normal.var(correction=0) - 1) < 1e-3
    assert encoder.normalize(torch.full((100,), 0.25)).abs().max() < 1e-3
    raw = make_encoder(do_normalize=False)
    assert torch.equal(raw.normalize(noise(1)), noise(1))
    loud, quiet = noise(1), noise(1) * 0.01
    same = encode_audio(encoder, Audio(loud), 25, 25) - encode_audio(encoder, Audio(quiet), 25, 25)
    assert same.abs().max() < 1e-2


def test_features_lie_on_the_frame_clock(monkeypatch):
    """An encoder that answers with each feature's own centre in seconds gives each frame its centre."""
    encoder = make_encoder(do_normalize=False)

    def clock(waveform):
        count = (waveform.shape[1] - 400) // 320 + 1
        starts = waveform[:, : count * 320 : 320]
        return starts[:, :, None, None].expand(-1, -1, 3, 32) + 200 / 16000

    monkeypatch.setattr(encoder, "forward", clock)
    seconds = torch.arange(16000 * 4) / 16000
    for fps, frames in ((25, 90), (29.97, 110), (12.5, 45), (60, 230)):
        features = encode_audio(encoder, Audio(seconds), frames, fps, piece_seconds=1, overlap_seconds=0.2)
        expected = ((torch.arange(frames) + 0.5) / fps).clamp(min=200 / 16000)
        assert (features[:, 1, 5] - expected).abs().max() < 1e-5


def test_pieces_equal_one_pass_where_attention_does_not_reach_across():
    encoder = make_encoder()
    waveform = noise(12)
    attentive = encode_pair(encoder, waveform)
    with torch.no_grad():
        for layer in encoder.encoder.layers:
            layer.attention.out_proj.weight.zero_()
    one, pieces = encode_pair(encoder, waveform)
    assert (one - pieces).abs().max() < 1e-5
    # Global attention sees the whole piece only: close, not equal.
    one, pieces = attentive
    error = (one - pieces).pow(2).mean().sqrt() / (one - one.mean(0)).pow(2).mean().sqrt()
    assert 1e-6 < error < 0.01


def encode_pair(encoder, waveform):
    one = encode_audio(encoder, Audio(waveform), 300, 25)
    return one, encode_audio(encoder, Audio(waveform), 300, 25, piece_seconds=3, overlap_seconds=1)


def test_the_encoder_never_sees_more_than_a_piece_with_its_overlap(monkeypatch):
    encoder = make_encoder()
    lengths = []
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda w: lengths.append(w.shape[1]) or forward(w))
    features = encode_audio(encoder, Audio(noise(20)), 500, 25, piece_seconds=2, overlap_seconds=0.5)
    assert features.shape == (500, 3, 32) and len(lengths) == 10
    assert max(lengths) <= 16000 * 3 + 2 * 400


@pytest.mark.parametrize("samples", [1, 100, 399, 641])
def test_short_and_silent_audio_give_finite_features(samples):
    encoder = make_encoder()
    for waveform in (torch.zeros(samples), torch.ones(samples)):
        features = encode_audio(encoder, Audio(waveform), 2, 25)
        assert features.shape == (2, 3, 32) and features.isfinite().all()


def test_no_frame_is_refused():
    encoder = make_encoder()
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        encode_audio(encoder, Audio(torch.zeros(640)), 0, 25)


def test_context_windows_are_clamped_and_cut_from_the_same_whole():
    features = torch.arange(6.0)[:, None, None].expand(6, 3, 4)
    config, every = EMOConfig(), torch.arange(6)
    windows = context_windows(features, config, every)
    assert windows.shape == (6, 5, 3, 4)
    assert windows[0, :, 0, 0].tolist() == [0, 0, 0, 1, 2]
    assert windows[3, :, 2, 1].tolist() == [1, 2, 3, 4, 5]
    assert windows[5, :, 0, 0].tolist() == [3, 4, 5, 5, 5]
    assert torch.equal(context_windows(features, config, every[2:5]), windows[2:5])
    assert torch.equal(
        context_windows(features, EMOConfig(audio=AudioConfig(context=0)), every)[:, 0], features
    )


def test_windows_of_two_rows_a_frame_end_in_silence():
    features = torch.arange(1.0, 9.0)[:, None, None]
    quirks = Quirks(audio_rows=2, audio_ends="zeros")
    config = EMOConfig(audio=AudioConfig(context=1), quirks=quirks)
    windows = context_windows(features, config, torch.arange(4))
    assert windows[:, :, 0, 0].tolist() == [
        [0, 0, 1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6],
        [3, 4, 5, 6, 7, 8],
        [5, 6, 7, 8, 0, 0],
    ]


def test_windows_of_rows_with_a_clock_of_their_own():
    """EchoMimic: 50 rows a second, 24 frames, the frame's own row is int(k * 50 / 24)."""
    features = torch.arange(50.0)[:, None, None]
    quirks = Quirks(audio_rows=2, audio_row_rate=50.0)
    config = EMOConfig(fps=24, audio=AudioConfig(context=0), quirks=quirks)
    windows = context_windows(features, config, torch.arange(24))
    assert windows[:, 0, 0, 0].tolist() == [int(k * 50 / 24) for k in range(24)]
