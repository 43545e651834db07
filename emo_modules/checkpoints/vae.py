"""The autoencoders a checkpoint can name, behind one interface."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from ..checked import Channels, Checked, Count, Length, Range, from_dict
from ..config import EMOConfig
from ..models.cpu import for_convolutions
from ..models.patch_vae import PatchVAE
from ..speech.wav2vec2 import ONLY_SHAPE

Widths = Annotated[tuple[Channels, ...], Length(1, 8)]
Depth = Annotated[int, Range(1, 16)]
Depths = Annotated[tuple[Depth, ...], Length(1, 8)]


@dataclass(frozen=True)
class PatchVAESettings(Checked):
    latent_channels: Channels = 16
    widths: tuple[Channels, Channels, Channels] = (128, 64, 32)
    depths: tuple[Depth, Depth, Depth] = (3, 2, 1)
    linear: bool = False


@dataclass(frozen=True)
class AutoencoderKLSettings(Checked):
    """The fields of diffusers' class that shape it, with its defaults; no other of a file is read."""

    latent_channels: Channels = 4
    block_out_channels: Widths = (64,)
    layers_per_block: Annotated[int, Range(1, 8)] = 1
    norm_num_groups: Count = 32
    down_block_types: tuple[Literal["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], ...] = (
        "DownEncoderBlock2D",
    )
    up_block_types: tuple[Literal["UpDecoderBlock2D", "AttnUpDecoderBlock2D"], ...] = ("UpDecoderBlock2D",)

    def impossible(self) -> Iterator[str]:
        lists = (self.block_out_channels, self.down_block_types, self.up_block_types)
        if len(set(map(len, lists))) > 1:
            yield f"its channels and block types are of one length, got {[len(x) for x in lists]}"
        if uneven := [width for width in self.block_out_channels if width % self.norm_num_groups]:
            yield f"block_out_channels {uneven[0]} is no multiple of norm_num_groups {self.norm_num_groups}"


@dataclass(frozen=True)
class AutoencoderTinySettings(Checked):
    latent_channels: Channels = 4
    encoder_block_out_channels: Widths = (64, 64, 64, 64)
    decoder_block_out_channels: Widths = (64, 64, 64, 64)
    num_encoder_blocks: Depths = (1, 3, 3, 3)
    num_decoder_blocks: Depths = (3, 3, 3, 1)

    def impossible(self) -> Iterator[str]:
        for side in ("encoder", "decoder"):
            widths, depths = getattr(self, f"{side}_block_out_channels"), getattr(self, f"num_{side}_blocks")
            if len(widths) != len(depths):
                yield f"the {side} has {len(widths)} widths and {len(depths)} numbers of blocks: one for each"


Settings = PatchVAESettings | AutoencoderKLSettings | AutoencoderTinySettings
SETTINGS: dict[str, type[Settings]] = {
    "PatchVAE": PatchVAESettings,
    "AutoencoderKL": AutoencoderKLSettings,
    "AutoencoderTiny": AutoencoderTinySettings,
}


class DiffusersVAE(nn.Module):
    """diffusers' AutoencoderKL or AutoencoderTiny: images (N, 3, 8H, 8W) in -1..1 <-> latents (N, C, H, W).

    Latents are multiplied by `scale`. Parameters keep diffusers' names, so its VAE files load one to one.
    """

    encoder: nn.Module
    decoder: nn.Module
    quant_conv: nn.Module  # AutoencoderKL has both
    post_quant_conv: nn.Module

    def __init__(self, model: nn.Module, scale: float):
        super().__init__()
        for name, child in model.named_children():
            self.add_module(name, child)
        self.scale = scale

    def encode(self, images: Tensor) -> Tensor:
        """The distribution's mean: encoding a picture twice gives the same latents."""
        latents = self.encoder(images)
        if hasattr(self, "quant_conv"):
            latents = self.quant_conv(latents).chunk(2, dim=1)[0]
        return latents * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        latents = for_convolutions(latents / self.scale)
        return self.decoder(self.post_quant_conv(latents) if hasattr(self, "post_quant_conv") else latents)


VAE = PatchVAE | DiffusersVAE


def build_vae(config: EMOConfig) -> VAE:
    """The VAE that `config.vae` names, with random weights and `encode` and `decode` as in `DiffusersVAE`.

    Raises ValueError for a class other than PatchVAE, AutoencoderKL and AutoencoderTiny, for a field that it
    does not have, and for other latents than the model's.
    """
    given: dict[str, Any] = dict(config.vae)
    name = given.pop("_class_name", None)
    if name not in SETTINGS:
        raise ValueError(f"a VAE is one of {', '.join(SETTINGS)}; {config.name} names {name!r}")
    settings: Settings = from_dict(SETTINGS[name], given, ONLY_SHAPE)
    if settings.latent_channels != config.latent_channels:
        raise ValueError(
            f"{config.name} has latents of {config.latent_channels} channels, its {name} of "
            f"{settings.latent_channels}"
        )
    if name == "PatchVAE":
        if config.latent_scale != 1:
            raise ValueError(f"PatchVAE scales its own latents: latent_scale is 1, not {config.latent_scale}")
        return PatchVAE(**asdict(settings))
    import diffusers

    return DiffusersVAE(getattr(diffusers, name)(**asdict(settings)), config.latent_scale)
