"""VAE and speech encoder from files of their own, as they were published."""

from pathlib import Path

import torch
from torch import Tensor

from ..config import EMOConfig
from ..families.family import SpeechEncoder
from ..families.table import family_of
from ..weights.reading import describe_keys, read_weights
from ..weights.rename import assign_strict, rename
from .vae import VAE, build_vae

VAE_EXPECTED = (
    "the VAE of Stable Diffusion 1.5, such as vae-ft-mse-840000-ema-pruned.safetensors or "
    "diffusion_pytorch_model.safetensors of stabilityai/sd-vae-ft-mse"
)
VAE_REMEDY = f"Expected is {VAE_EXPECTED}."
# diffusers' names before its attention blocks were one class
OLD_VAE_NAMES = [
    (r"\.attentions\.0\.query\.", ".attentions.0.to_q."),
    (r"\.attentions\.0\.key\.", ".attentions.0.to_k."),
    (r"\.attentions\.0\.value\.", ".attentions.0.to_v."),
    (r"\.attentions\.0\.proj_attn\.", ".attentions.0.to_out.0."),
]


def load_vae(file: Path, config: EMOConfig, device: torch.device | str, dtype: torch.dtype | None) -> VAE:
    """The VAE that `config` names, in eval mode. Raises ValueError when the file holds another one."""
    state = vae_state(read_weights(file, VAE_EXPECTED), config, str(file))
    with torch.device("meta"):
        vae = build_vae(config)
    assign_strict(vae, state, str(file), device, dtype, VAE_REMEDY)
    return vae.eval()


def vae_state(state: dict[str, Tensor], config: EMOConfig, source: str) -> dict[str, Tensor]:
    """diffusers' names, old or new, or Stable Diffusion's own -> diffusers' new ones."""
    if not any(key.startswith(("decoder.", "first_stage_model.decoder.")) for key in state):
        raise ValueError(f"{source}: {VAE_REMEDY} Found {describe_keys(list(state))}")
    if any(".mid.attn_1." in key for key in state):
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        kept = {k: v for k, v in state.items() if not k.startswith(("loss.", "model_ema."))}
        try:
            return convert_ldm_vae_checkpoint(kept, config.vae)
        except KeyError as error:
            raise ValueError(f"{source}: {VAE_REMEDY} Found one without {error}") from error
    return rename(state, OLD_VAE_NAMES)


def load_audio_encoder(file: Path, config: EMOConfig, device: torch.device | str) -> SpeechEncoder:
    """The encoder that the weights were trained on. Raises ValueError when the file holds another one."""
    hearing = family_of(config).hearing
    return hearing.published(read_weights(file, hearing.name), config.audio, str(file)).to(device)
