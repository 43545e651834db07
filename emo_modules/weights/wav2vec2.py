"""Public wav2vec2 encoders as they are published: base and large, with or without their training heads."""

from typing import Any

import torch
from torch import Tensor

from ..speech.wav2vec2 import AudioEncoder
from .rename import assign_strict, first, rename

HEADS = ("lm_head.", "quantizer.", "project_hid.", "project_q.", "dropout_features.")
UNREAD = "masked_spec_embed"  # for training transformers' way; some files lack it
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


def build_wav2vec2(
    state: dict[str, Tensor], do_normalize: bool, source: str, own: dict[str, Any] | None = None
) -> AudioEncoder:
    """An encoder of the size that a published state dict has, or of the size `own`, in eval mode and float32.

    `do_normalize`: the waveform gets zero mean and unit variance, as wav2vec2-base-960h was trained.
    Raises ValueError naming `source`, what was expected and what was found.
    """
    sizes = SIZES | ({own["hidden_size"]: own} if own and "hidden_size" in own else {})
    norm = next((key for key in state if key.endswith("encoder.layer_norm.bias")), None)
    width = None if norm is None else state[norm].numel()
    if width is None or width not in sizes:
        found = f"an encoder of {width} channels" if width else f"keys such as {first(state)}"
        raise ValueError(f"{source}: expected {EXPECTED}; found {found}")
    with torch.device("meta"):
        encoder = AudioEncoder(sizes[width], do_normalize)
    wanted = rename({key: value for key, value in state.items() if not key.startswith(HEADS)}, RULES)
    wanted.setdefault(UNREAD, torch.zeros(width))
    assign_strict(encoder, wanted, source, "cpu", torch.float32)
    return encoder.eval()
