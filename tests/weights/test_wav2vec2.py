"""Published wav2vec2 files load whatever their naming, and are refused with a reason otherwise."""

import pytest
import torch
from torch.nn.utils import parametrize
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_modules.weights import wav2vec2
from emo_modules.weights.wav2vec2 import build_wav2vec2

SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.fixture
def model(monkeypatch) -> Wav2Vec2Model:
    monkeypatch.setitem(wav2vec2.SIZES, 48, SMALL)
    torch.manual_seed(0)
    return Wav2Vec2Model(Wav2Vec2Config(**SMALL)).eval()


def published(model: Wav2Vec2Model) -> dict[str, torch.Tensor]:
    """As wav2vec2-base-960h is: under a prefix, with a speech-to-text head, in the old weight-norm naming."""
    state = {f"wav2vec2.{key}": value for key, value in model.state_dict().items()}
    old = {"original0": "weight_g", "original1": "weight_v"}
    for new, name in old.items():
        key = f"wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.{new}"
        state[f"wav2vec2.encoder.pos_conv_embed.conv.{name}"] = state.pop(key)
    del state["wav2vec2.masked_spec_embed"]
    return state | {"lm_head.weight": torch.zeros(32, 48), "lm_head.bias": torch.zeros(32)}


@pytest.mark.parametrize("old", [False, True])
def test_both_namings_give_the_outputs_of_transformers(model, old):
    encoder = build_wav2vec2(published(model) if old else model.state_dict(), False, "file")
    assert parametrize.is_parametrized(encoder.encoder.pos_conv_embed.conv)
    waveform = torch.randn(1, 4000)
    with torch.no_grad():
        expected = model(waveform, output_hidden_states=True).hidden_states
        found = encoder.hidden_states(waveform)
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 1e-5


def test_missing_keys_are_named(model):
    state = model.state_dict()
    del state["encoder.layers.0.attention.k_proj.weight"]
    with pytest.raises(ValueError, match=r"half\.safetensors.*1 missing(.|\n)*layers\.0\.attention\.k_proj"):
        build_wav2vec2(state, True, "half.safetensors")


def test_other_models_are_refused():
    with pytest.raises(
        ValueError, match="whisper.safetensors: expected wav2vec2-base .*found keys such as x"
    ):
        build_wav2vec2({"x": torch.zeros(1)}, True, "whisper.safetensors")
    with pytest.raises(ValueError, match="found an encoder of 512 channels"):
        build_wav2vec2({"encoder.layer_norm.bias": torch.zeros(512)}, True, "hubert.safetensors")
