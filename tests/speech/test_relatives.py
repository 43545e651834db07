import math
from dataclasses import asdict, replace

import pytest
import torch
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_modules.config import AudioConfig, EMOConfig
from emo_modules.families.table import audio_track
from emo_modules.media.audio import Audio
from emo_modules.quirks import Quirks
from emo_modules.speech import relatives
from emo_modules.speech.relatives import hallo_features, v_express_features
from emo_modules.speech.wav2vec2 import AudioEncoder

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
BOTH = pytest.mark.parametrize("features_of", [hallo_features, v_express_features])


def pair(**changes):
    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config(**(CONFIG | changes))).eval()
    encoder = AudioEncoder(CONFIG | changes, do_normalize=True).eval()
    encoder.load_state_dict(model.state_dict())
    return model, encoder


def noise(seconds, seed=0):
    generator = torch.Generator().manual_seed(seed)
    loudness = 0.2 + torch.linspace(0, 9 * math.pi, round(16000 * seconds)).sin().abs()
    return torch.randn(len(loudness), generator=generator) * loudness + 0.3


@torch.no_grad()
def hallo_by_transformers(model, signal, frames):
    """Block outputs one by one: of a model that ends after the block."""
    features = functional.interpolate(
        model.feature_extractor(signal[None]), size=frames, mode="linear", align_corners=True
    )
    hidden, _ = model.feature_projection(features.transpose(1, 2))
    layers = model.encoder.layers
    outputs = []
    for count in range(1, len(layers) + 1):
        model.encoder.layers = layers[:count]
        outputs.append(model.encoder(hidden).last_hidden_state[0])
    model.encoder.layers = layers
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize(("seconds", "frames"), [(1, 25), (2.01, 51), (0.5, 40), (1, 1)])
def test_hallo_interpolates_before_the_transformer(norm, seconds, frames):
    model, encoder = pair(feat_extract_norm=norm)
    features = hallo_features(encoder, Audio(noise(seconds)), frames)
    assert features.shape == (frames, 3, 32)
    expected = hallo_by_transformers(model, encoder.normalize(noise(seconds)), frames)
    assert (features - expected).abs().max() < 1e-5


def test_hallo_fills_the_last_clip_after_normalisation():
    model, encoder = pair()
    features = hallo_features(encoder, Audio(noise(1)), 32, padding=7 * 640)
    signal = functional.pad(encoder.normalize(noise(1)), (0, 7 * 640))
    assert (features - hallo_by_transformers(model, signal, 32)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("samples", "frames"), [(16000, 25), (16001, 26), (640 * 16, 16), (640 * 32, 32), (400, 1)]
)
def test_hallos_track_is_padded_as_the_original_pads(samples, frames):
    """`AudioProcessor.preprocess` of Hallo, written out: ceil(seconds * 25) frames, filled up to whole clips
    of 16 with 640 zeros for each frame that is added."""
    model, encoder = pair()
    config = replace(
        EMOConfig(), family="hallo", clip_frames=16, quirks=Quirks(locator_inputs=3),
        audio=AudioConfig(asdict(encoder.config), layers=3, feature_dim=32),
    )  # fmt: skip
    sound = Audio(noise(samples / 16000))
    assert len(sound.mono) == samples
    length = math.ceil(samples / 16000 * 25)
    missing = -length % 16
    signal = functional.pad(encoder.normalize(sound.mono), (0, missing * 640))
    expected = hallo_by_transformers(model, signal, length + missing)
    found = audio_track(encoder, sound, sound.frame_count(25), config)
    assert length == frames
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("changes", [{}, {"feat_extract_norm": "group"}, {"do_stable_layer_norm": True}])
@pytest.mark.parametrize(("seconds", "frames"), [(1, 25), (2.01, 63), (0.5, 1)])
def test_v_express_interpolates_the_last_block(changes, seconds, frames):
    model, encoder = pair(**changes)
    with torch.no_grad():
        last = model(encoder.normalize(noise(seconds))[None]).last_hidden_state
    expected = functional.interpolate(last.transpose(1, 2), size=2 * frames, mode="linear")[0].T
    features = v_express_features(encoder, Audio(noise(seconds)), frames)
    assert features.shape == (2 * frames, 1, 32)
    assert (features[:, 0] - expected).abs().max() < 1e-5


@BOTH
def test_pieces_equal_one_pass_where_attention_does_not_reach_across(features_of, monkeypatch):
    _, encoder = pair()
    with torch.no_grad():
        for layer in encoder.encoder.layers:
            layer.attention.out_proj.weight.zero_()
    one = features_of(encoder, Audio(noise(11)), 275)
    monkeypatch.setattr(relatives, "PIECE_SECONDS", 3)
    monkeypatch.setattr(relatives, "OVERLAP_SECONDS", 0.5)
    assert (features_of(encoder, Audio(noise(11)), 275) - one).abs().max() < 1e-5


@BOTH
@pytest.mark.parametrize("frames", [1, 7, 450])
def test_the_encoder_never_sees_more_than_a_piece(features_of, frames, monkeypatch):
    _, encoder = pair()
    monkeypatch.setattr(relatives, "PIECE_SECONDS", 3)
    monkeypatch.setattr(relatives, "OVERLAP_SECONDS", 0.5)
    lengths = []
    encoder.feature_extractor.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[1]))
    features = features_of(encoder, Audio(noise(18)), frames)
    assert features.isfinite().all()
    assert max(lengths) <= 3 * 16000 + 2 * 400


@pytest.mark.parametrize("tokens", [1, 10, 59, 60, 61, 110, 111, 137, 1000])
def test_pieces_keep_every_token_once_with_what_surrounds_it(tokens):
    pieces = list(relatives._pieces(tokens, tokens * 16000))
    assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])]
    assert pieces[-1].stop == tokens
    assert len(pieces) == 1 if tokens <= 60 else all(piece.last - piece.first == 60 for piece in pieces)
    for piece in pieces:
        assert piece.first <= max(0, piece.start - 5) and min(tokens, piece.stop + 5) <= piece.last


@BOTH
def test_the_encoder_is_left_as_it_was(features_of):
    _, encoder = pair()
    waveform = encoder.normalize(noise(1))[None]
    with torch.no_grad():
        before = encoder(waveform)
        features_of(encoder, Audio(noise(1)), 13)
        assert torch.equal(encoder(waveform), before)


@BOTH
@pytest.mark.parametrize("samples", [1, 399, 401])
def test_short_and_silent_audio_give_finite_features(features_of, samples):
    _, encoder = pair()
    for waveform in (torch.zeros(samples), torch.ones(samples)):
        assert features_of(encoder, Audio(waveform), 3).isfinite().all()


@BOTH
def test_half_precision_gives_float32_features(features_of):
    _, encoder = pair()
    exact = features_of(encoder, Audio(noise(1)), 25)
    features = features_of(encoder.to(torch.bfloat16), Audio(noise(1)), 25)
    assert features.dtype == torch.float32
    assert 0 < (features - exact).abs().max() < 0.2


@BOTH
def test_no_frame_is_refused(features_of):
    _, encoder = pair()
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        features_of(encoder, Audio(torch.zeros(640)), 0)
