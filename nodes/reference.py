"""ReferenceNetEncode."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..emo_modules.media.image import to_rgb
from .managed.notices import shown_on
from .managed.reference import ReferenceNet, encode_reference
from .schema import CATEGORY, ReferenceNetType, ReferenceType, known, wired

SNAP = 8  # the VAE's pixels per latent


class ReferenceNetEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReferenceNetEncode",
            display_name="EMO Reference Net Encode",
            category=CATEGORY,
            description="Reads the portrait once: who the person is. The sampler uses it for every frame.",
            inputs=[
                ReferenceNetType.Input("reference_net", tooltip="From EMO Load Model."),
                io.Vae.Input("vae", tooltip="From EMO Load Model, or Load VAE when the checkpoint has none."),
                io.Image.Input(
                    "image",
                    tooltip="The portrait, cropped to the model's size by EMO Face Region. The video gets "
                    "this picture's size; sides that are no multiple of 8 lose up to 7 pixels at the edges.",
                ),
            ],
            outputs=[ReferenceType.Output("REFERENCE", display_name="reference")],
            hidden=[io.Hidden.unique_id],
            **known(io.Schema, search_aliases=["emo", "identity"]),
        )

    @classmethod
    def validate_inputs(cls, reference_net: Any, vae: Any, image: Any) -> bool | str:
        return wired(reference_net=reference_net, vae=vae, image=image)

    @classmethod
    def execute(cls, reference_net: ReferenceNet, vae: Any, image: Tensor) -> io.NodeOutput:
        if vae is None:
            raise ValueError(
                f"{reference_net.config.name} came without a VAE: connect Load VAE with the one it was "
                "trained with, for Stable Diffusion 1.5's size vae-ft-mse-840000"
            )
        with shown_on(cls.hidden.unique_id) as log:
            picture = one_picture(image, log)
            return io.NodeOutput(encode_reference(reference_net, vae, picture))


def one_picture(image: Tensor, log: Any) -> Tensor:
    """(B, H, W, C) -> (1, H', W', 3): the first of a batch, its middle on multiples of 8."""
    if len(image) > 1:
        log.warning("%d pictures given, one portrait is needed: the first is used", len(image))
    height, width = (size // SNAP * SNAP for size in image.shape[1:3])
    if not height or not width:
        raise ValueError(
            f"the portrait is {image.shape[2]}x{image.shape[1]}, at least {SNAP}x{SNAP} is needed"
        )
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    if (height, width) != tuple(image.shape[1:3]):
        log.warning("%dx%d cut to %dx%d, multiples of %d", *image.shape[2:0:-1], width, height, SNAP)
    return to_rgb(image[:1, top : top + height, left : left + width].float())
