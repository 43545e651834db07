"""ReferenceNetEncode."""

import logging
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..emo_modules.config import EMOConfig
from ..emo_modules.cues.face_embedding import face_embedding
from ..emo_modules.cues.face_reader import largest_points
from ..emo_modules.cues.familiar import unfamiliar
from ..emo_modules.families.table import family_of
from .managed.notices import show_on
from .managed.pictures import portraits
from .managed.reference import ReferenceNet, encode_reference
from .schema import (
    CATEGORY,
    FaceEmbeddingType,
    FaceSourceTypes,
    ReferenceNetType,
    ReferenceType,
    follows_schema,
    supported_keywords,
)

SNAP = 8  # the VAE's pixels per latent
MOST_AREA = 16  # times the picture of training: attention over a photo from a camera would never end


@follows_schema
class ReferenceNetEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReferenceNetEncode",
            display_name="EMO Reference Net Encode",
            category=CATEGORY,
            description="Reads the portrait once: who the person is. The sampler uses it for every frame. "
            "Each picture of a batch is a portrait of its own.",
            inputs=[
                ReferenceNetType.Input("reference_net", tooltip="From EMO Load Model."),
                io.Vae.Input("vae", tooltip="From EMO Load Model, or Load VAE when the checkpoint has none."),
                io.Image.Input(
                    "image",
                    tooltip="The portrait, cropped to the model's size by EMO Face Region. The video gets "
                    "this picture's size; sides that are no multiple of 8 lose up to 7 pixels at the edges.",
                ),
                io.MultiType.Input(
                    "identity",
                    types=[FaceEmbeddingType, io.Float, *FaceSourceTypes],
                    optional=True,
                    tooltip="For Hallo, Hallo2 and JoyHallo, whose likeness drifts without it: InstantID's, "
                    "PuLID's or IPAdapter's InsightFace loader (antelopev2), which then looks at the image; "
                    "or the face's embedding, 512 numbers. insightface's models are for non-commercial "
                    "research only.",
                ),
            ],
            outputs=[
                ReferenceType.Output(
                    "REFERENCE",
                    display_name="reference",
                    tooltip="To EMO Sampler, which runs once for each portrait.",
                    is_output_list=True,
                )
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "identity"]),
        )

    @classmethod
    def execute(
        cls, reference_net: ReferenceNet, vae: Any, image: Tensor, identity: Any = None
    ) -> io.NodeOutput:
        if vae is None:
            raise ValueError(
                f"{reference_net.config.name} came without a VAE: connect Load VAE with the one it was "
                "trained with, for Stable Diffusion 1.5's size vae-ft-mse-840000"
            )
        config = reference_net.config
        with show_on(cls.hidden.unique_id) as log:
            pictures = portraits(image)
            _check_size(pictures, config)
            pictures = snap_to_multiple(pictures, log, SNAP * config.backbone.patch)
            # Here rather than in EMO Face Region, which may be left out and need not know the model.
            for reason in unfamiliar(config, pictures[0].movedim(-1, 0)):
                log.warning("%s", reason)
            references = []
            for picture in pictures:
                face = face_embedding(identity, picture, config, log)
                points = largest_points(picture) if family_of(config).reads_points else None
                references.append(encode_reference(reference_net, vae, picture[None], face, points))
        return io.NodeOutput(references)


def _check_size(pictures: Tensor, config: EMOConfig) -> None:
    height, width = pictures.shape[1:3]
    if width * height > MOST_AREA * config.width * config.height:
        raise ValueError(
            f"the portrait is {width}x{height} pixels, {config.name} was trained at "
            f"{config.width}x{config.height}: crop it with EMO Face Region, or resize it to at most "
            f"{MOST_AREA} times as many pixels"
        )


def snap_to_multiple(pictures: Tensor, log: logging.Logger, snap: int = SNAP) -> Tensor:
    """(B, H, W, 3) -> their middle, with sides that are multiples of `snap`."""
    height, width = pictures.shape[1:3]
    rows, columns = height // snap * snap, width // snap * snap
    if not rows or not columns:
        raise ValueError(f"the portrait is {width}x{height}, at least {snap}x{snap} is needed")
    top, left = (height - rows) // 2, (width - columns) // 2
    if (rows, columns) != (height, width):
        log.warning("%dx%d cut to %dx%d, multiples of %d", width, height, columns, rows, snap)
    return pictures[:, top : top + rows, left : left + columns]
