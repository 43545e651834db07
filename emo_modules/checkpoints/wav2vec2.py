"""Public wav2vec2 encoders as they are published: base and large, with or without their training heads."""

from typing import Any

from torch import Tensor

from ..media.audio_features import AudioEncoder
from .rename import load_strict, rename

HEADS = ("lm_head.", "quantizer.", "project_hid.", "project_q.", "dropout_features.")
RULES = [
    (r"^wav2vec2\.", ""),
    # transformers' naming of weight normalisation before torch had parametrizations
    (r"(encoder\.pos_conv_embed\.conv)\.weight_g$", r"\1.parametrizations.weight.original0"),
    (r"(encoder\.pos_conv_embed\.conv)\.weight_v$", r"\1.parametrizations.weight.original1"),
]
SIZES: dict[int, dict[str, Any]] = {
    768: {},
    1024: {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "conv_bias": True,
        "do_stable_layer_norm": True,
    },
}
EXPECTED = "wav2vec2-base (768 channels, 12 blocks) or wav2vec2-large (1024 channels, 24 blocks)"


def build_wav2vec2(state: dict[str, Tensor], do_normalize: bool, source: str) -> AudioEncoder:
    """An encoder of the size that a published state dict has, in eval mode.

    `do_normalize`: the waveform gets zero mean and unit variance, as wav2vec2-base-960h was trained.
    Raises ValueError naming `source`, what was expected and what was found.
    """
    norm = next((key for key in state if key.endswith("encoder.layer_norm.bias")), None)
    width = None if norm is None else len(state[norm])
    if width not in SIZES:
        found = f"an encoder of {width} channels" if width else f"keys such as {', '.join(sorted(state)[:3])}"
        raise ValueError(f"{source}: expected {EXPECTED}; found {found}")
    encoder = AudioEncoder(SIZES[width], do_normalize)
    wanted = {key: value for key, value in state.items() if not key.startswith(HEADS)}
    load_strict(encoder, rename(wanted, RULES), source, may_miss=r"^masked_spec_embed$")
    return encoder.eval()
