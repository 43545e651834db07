"""Stable Diffusion 1.5's UNet as the starting point of Backbone and ReferenceNet (EMO sec. 3.3)."""

import re

from torch import Tensor

from emo_modules.models.emo import EMO
from emo_modules.weights.rename import load_strict, rename

# text has another width than ReferenceNet's features, so its keys and values fit nowhere
BACKBONE_DROPS = r"\.attn2\.to_[kv]\."
# ReferenceNet is read from inside and sees no text; norm2 stays: it is the tap's norm
REFERENCE_DROPS = r"\.attn2\.|^conv_norm_out\.|^conv_out\."
TO_REFERENCE_ATTENTION = [
    (r"\.attn2\.", ".attn_ref."),
    (r"(transformer_blocks\.\d+)\.norm2\.", r"\1.norm_ref."),
]
NOT_IN_SD = r"^(face_locator|audio_projection|speed_encoder)\.|\.motion_modules\.|\.(norm|attn)_audio\."
EXPECTED = (
    "Stable Diffusion 1.5's UNet in diffusers naming: unet/diffusion_pytorch_model.safetensors of the "
    "repository stable-diffusion-v1-5/stable-diffusion-v1-5"
)
REMEDY = f"Expected is {EXPECTED}."


def sd15_unets(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """SD1.5's UNet (diffusers naming) -> (the Backbone's part, all of ReferenceNet).

    SD's cross-attention becomes reference-attention (EMO sec. 3.2); its keys and values start from
    self-attention's, whose input, like the reference's, is a normalised token of the same layer.
    """
    kept = {k: v for k, v in state.items() if not re.search(BACKBONE_DROPS, k)}
    backbone = rename(kept, TO_REFERENCE_ATTENTION)
    for key in [k for k in backbone if re.search(r"\.attn1\.to_[kv]\.", k)]:
        backbone[key.replace(".attn1.", ".attn_ref.")] = backbone[key]
    return backbone, {k: v for k, v in state.items() if not re.search(REFERENCE_DROPS, k)}


def initialise_from_sd15(model: EMO, state: dict[str, Tensor], source: str) -> list[str]:
    """Copy SD1.5's UNet into `model`; returns the names of the parameters that SD lacks, left as they were.

    Raises ValueError naming `source` when the weights are not a UNet of SD1.5's kind in diffusers naming.
    """
    if any(key.startswith("model.diffusion_model.") for key in state):
        raise ValueError(f"{source} is a single-file checkpoint (keys model.diffusion_model. ...). {REMEDY}")
    backbone, reference = sd15_unets(state)
    both = {f"backbone.{k}": v for k, v in backbone.items()}
    both |= {f"reference_net.{k}": v for k, v in reference.items()}
    return load_strict(model, both, source, may_miss=NOT_IN_SD, remedy=REMEDY)
