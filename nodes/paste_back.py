"""EMOPasteBack."""

from comfy_api.latest import io
from torch import Tensor

from ..emo_modules.cues.face import Crop
from ..emo_modules.cues.paste import paste_back
from .schema import CATEGORY, CropType, follows_schema, supported_keywords


@follows_schema
class EMOPasteBack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOPasteBack",
            display_name="EMO Paste Back",
            category=CATEGORY,
            description="Puts the frames back into the photo they were cropped from, at the photo's size. "
            "Upscalers and face restorers may stand before it.",
            inputs=[
                io.Image.Input("images", tooltip="Frames of the crop, upscaled or not."),
                io.Image.Input("original", tooltip="The picture that went into EMO Face Region."),
                CropType.Input("crop", tooltip="From EMO Face Region."),
                io.Int.Input(
                    "feather",
                    default=16,
                    min=0,
                    max=1024,
                    tooltip="Pixels of the photo over which the crop's edges fade into it.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    display_name="images",
                    tooltip="All frames at the photo's size are held in memory: 25 MB each at 1920 x 1080.",
                )
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "composite", "uncrop"]),
        )

    @classmethod
    def execute(cls, images: Tensor, original: Tensor, crop: Crop, feather: int) -> io.NodeOutput:
        return io.NodeOutput(paste_back(images, original[0], crop, feather))
