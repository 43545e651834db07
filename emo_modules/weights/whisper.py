"""Public whisper-tiny files: OpenAI's, which EchoMimic takes its speech features from, and transformers'."""

import torch
from torch import Tensor

from ..speech.whisper import WHISPER_TINY, WhisperEncoder
from .rename import assign_strict, first, rename

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


def build_whisper(state: dict[str, Tensor], source: str) -> WhisperEncoder:
    """The encoder of a published file, in eval mode and float32; what the file holds of the decoder is not
    used.

    `state` has OpenAI's or transformers' names. Raises ValueError naming `source`, what was expected and what
    was found.
    """
    wanted = {key: value for key, value in state.items() if not key.startswith(DECODER)}
    renamed = rename(wanted, RULES)
    norm = renamed.get("layer_norm.bias")
    width = None if norm is None else norm.numel()
    if width not in SIZES:
        found = f"an encoder of {width} channels" if width else f"keys such as {first(state)}"
        raise ValueError(f"{source}: expected {EXPECTED}; found {found}")
    with torch.device("meta"):
        encoder = WhisperEncoder(SIZES[width])
    assign_strict(encoder, renamed, source, "cpu", torch.float32)
    return encoder.eval()
