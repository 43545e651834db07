"""Public whisper-tiny files: OpenAI's, which EchoMimic takes its speech features from, and transformers'."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..media.whisper import WHISPER_TINY, WhisperEncoder
from .rename import load_strict, rename

# The text decoder and its output layer: speech features come from the encoder alone.
DECODER = ("decoder.", "model.decoder.", "proj_out.")
RULES = [
    (r"^(model\.)?encoder\.", ""),
    # OpenAI's names
    (r"^positional_embedding$", "embed_positions.weight"),
    (r"^ln_post\.", "layer_norm."),
    (r"^blocks\.", "layers."),
    (r"\.attn\.query\.", ".self_attn.q_proj."),
    (r"\.attn\.key\.", ".self_attn.k_proj."),
    (r"\.attn\.value\.", ".self_attn.v_proj."),
    (r"\.attn\.out\.", ".self_attn.out_proj."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
]
SIZES: dict[int, dict[str, int]] = {384: WHISPER_TINY}
EXPECTED = "whisper-tiny (an encoder of 384 channels, 4 blocks)"


def build_whisper(state: Mapping[str, Any], source: str) -> WhisperEncoder:
    """The encoder of a published file, in eval mode; what the file holds of the decoder is not used.

    `state`: OpenAI's whole file (`dims` and `model_state_dict`) or tensors by key, in OpenAI's or
    transformers' naming. Raises ValueError naming `source`, what was expected and what was found.
    """
    tensors: dict[str, Tensor] = state.get("model_state_dict", state)
    wanted = {key: value for key, value in tensors.items() if not key.startswith(DECODER)}
    renamed = rename(wanted, RULES)
    norm = renamed.get("layer_norm.bias")
    width = None if norm is None else len(norm)
    if width not in SIZES:
        found = (
            f"an encoder of {width} channels" if width else f"keys such as {', '.join(sorted(tensors)[:3])}"
        )
        raise ValueError(f"{source}: expected {EXPECTED}; found {found}")
    encoder = WhisperEncoder(SIZES[width])
    load_strict(encoder, renamed, source)
    return encoder.eval()
