"""TAESD's decoder: Stable Diffusion's latents become pictures at a fraction of the operations."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..models.cpu import for_convolutions
from ..weights.reading import describe_keys, read_weights
from ..weights.rename import assign_strict

EXPECTED = (
    "TAESD's decoder for Stable Diffusion 1.5: taesd_decoder.safetensors or .pth, or "
    "diffusion_pytorch_model.safetensors of madebyollin/taesd"
)
REMEDY = f"Expected is {EXPECTED}."
OWN_NAMES = re.compile(r"^(\d+)\.")  # of the layers in TAESD's own files, which begin with a clamp


class TinyDecoder(nn.Module):
    """Latents (N, 4, H, W) as the model has them -> images (N, 3, 8H, 8W) in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        import diffusers

        whole: Any = diffusers.AutoencoderTiny()  # a decorator hides its parts from the type checker
        self.decoder = whole.decoder

    def decode(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.decoder(for_convolutions(latents))
        return pictures


def load_tiny_decoder(
    file: Path, config: EMOConfig, device: torch.device | str, dtype: torch.dtype | None
) -> TinyDecoder:
    """In eval mode. Raises ValueError for another file, and as `check_latents`."""
    check_latents(config)
    state = decoder_state(read_weights(file, EXPECTED), str(file))
    with torch.device("meta"):
        decoder = TinyDecoder()
    assign_strict(decoder, state, str(file), device, dtype, REMEDY)
    return decoder.eval()


def check_latents(config: EMOConfig) -> None:
    """Raises ValueError for a model whose latents are not Stable Diffusion's."""
    theirs = EMOConfig.sd15()
    if (config.latent_channels, config.latent_scale) != (theirs.latent_channels, theirs.latent_scale):
        raise ValueError(
            f"{config.name} has latents of its own ({config.latent_channels} channels), TAESD decodes those "
            "of Stable Diffusion 1.5: leave --tiny-decoder away"
        )


def decoder_state(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """TAESD's own names or diffusers', of which the encoder's are left out -> the decoder's in diffusers'."""
    if any(key.startswith("decoder.layers.") for key in state):
        return {key: value for key, value in state.items() if not key.startswith("encoder.")}
    if not state or not all(map(OWN_NAMES.match, state)):
        raise ValueError(f"{source}: {REMEDY} Found {describe_keys(list(state))}")
    return {
        OWN_NAMES.sub(lambda found: f"decoder.layers.{int(found[1]) - 1}.", key): value
        for key, value in state.items()
    }
