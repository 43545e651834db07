"""Published whisper files load whatever their naming, and are refused with a reason otherwise."""

import pytest
import torch
from transformers import WhisperConfig, WhisperModel

from emo_modules.weights import whisper
from emo_modules.weights.whisper import build_whisper

SMALL = {
    "d_model": 48,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "num_mel_bins": 8,
    "max_source_positions": 10,
}
DECODER = {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 64, "vocab_size": 20}
TOKENS = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
OPENAI = {
    "conv1": "conv1",
    "conv2": "conv2",
    "embed_positions.weight": "positional_embedding",
    "layer_norm": "ln_post",
    "layers.{}.self_attn.q_proj": "blocks.{}.attn.query",
    "layers.{}.self_attn.k_proj": "blocks.{}.attn.key",
    "layers.{}.self_attn.v_proj": "blocks.{}.attn.value",
    "layers.{}.self_attn.out_proj": "blocks.{}.attn.out",
    "layers.{}.self_attn_layer_norm": "blocks.{}.attn_ln",
    "layers.{}.fc1": "blocks.{}.mlp.0",
    "layers.{}.fc2": "blocks.{}.mlp.2",
    "layers.{}.final_layer_norm": "blocks.{}.mlp_ln",
}


@pytest.fixture
def model(monkeypatch) -> WhisperModel:
    monkeypatch.setitem(whisper.SIZES, 48, SMALL)
    return WhisperModel(WhisperConfig(**SMALL, **DECODER, **TOKENS)).eval()


def openai_file(model: WhisperModel) -> dict:
    """As whisper_tiny.pt is: half precision, dimensions beside the tensors, the decoder with them."""
    own = model.encoder.state_dict()
    state = {}
    for theirs, name in OPENAI.items():
        for block in range(2 if "{}" in theirs else 1):
            stem = theirs.format(block)
            found = [key for key in own if key == stem or key.startswith(f"{stem}.")]
            state |= {f"encoder.{name.format(block)}{key[len(stem) :]}": own[key].half() for key in found}
    assert len(state) == len(own)
    state |= {"decoder.positional_embedding": torch.zeros(448, 48), "decoder.ln.bias": torch.zeros(48)}
    return {"dims": {"n_mels": 8, "n_audio_ctx": 10}, "model_state_dict": state}


def transformers_file(model: WhisperModel) -> dict:
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    return state | {"proj_out.weight": torch.zeros(20, 48)}


@pytest.mark.parametrize(
    "published",
    [
        lambda model: openai_file(model)["model_state_dict"],
        transformers_file,
        lambda model: model.state_dict(),
        lambda model: model.encoder.state_dict(),
    ],
    ids=["openai", "transformers", "encoder and decoder", "encoder"],
)
def test_every_naming_gives_the_outputs_of_transformers(model, published):
    model.load_state_dict({key: value.half() for key, value in model.state_dict().items()})
    encoder = build_whisper(published(model), "file")
    assert not encoder.training
    mel = torch.randn(1, 8, 20)
    with torch.no_grad():
        expected = model.encoder(mel).last_hidden_state
        found = encoder.layer_norm(encoder.hidden_states(mel)[:, :, -1])
    assert (found - expected).abs().max() < 1e-5


def test_missing_and_strange_keys_are_named(model):
    state = openai_file(model)["model_state_dict"]
    del state["encoder.blocks.0.attn.key.weight"]
    state["encoder.blocks.0.attn.key.bias"] = torch.zeros(48)
    with pytest.raises(
        ValueError, match=r"half\.pt.*1 missing, 1 unexpected(.|\n)*self_attn\.k_proj\.weight"
    ):
        build_whisper(state, "half.pt")


def test_other_models_are_refused():
    with pytest.raises(ValueError, match=r"wav\.pt: expected whisper-tiny .*found keys such as x"):
        build_whisper({"x": torch.zeros(1)}, "wav.pt")
    with pytest.raises(ValueError, match="found an encoder of 512 channels"):
        build_whisper({"encoder.ln_post.bias": torch.zeros(512)}, "base.pt")
