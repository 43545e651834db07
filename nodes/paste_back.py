"""EMOPasteBack."""

from comfy_api.latest import io
from torch import Tensor

from ..emo_modules.cues.face import Crop
from ..emo_modules.cues.paste import paste_all
from .managed.notices import show_on
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
            "Upscalers and face restorers may stand before it. All faces of one photo come into one video.",
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
                    is_output_list=True,
                )
            ],
            hidden=[io.Hidden.unique_id],
            is_input_list=True,
            **supported_keywords(io.Schema, search_aliases=["emo", "composite", "uncrop"]),
        )

    @classmethod
    def execute(
        cls, images: list[Tensor], original: list[Tensor], crop: list[Crop], feather: list[int]
    ) -> io.NodeOutput:
        groups = _by_original(images, [picture for batch in original for picture in batch], crop)
        feathers = feather + feather[-1:] * len(groups)
        with show_on(cls.hidden.unique_id):
            videos = [paste_all(*group, fade) for group, fade in zip(groups, feathers, strict=False)]
        return io.NodeOutput(videos)


def _by_original(
    images: list[Tensor], originals: list[Tensor], crops: list[Crop]
) -> list[tuple[list[tuple[Tensor, Crop]], Tensor]]:
    """The videos and crops that belong into each original, and itself.

    They stand in the order of EMO Face Region: all faces of the first picture, then those of the next.
    Raises ValueError for numbers that do not fit together.
    """
    if len(crops) == 1 and len(originals) == 1:  # several videos of the same face
        crops, originals = crops * len(images), originals * len(images)
    if len(crops) != len(images) or len(images) % len(originals):
        raise ValueError(
            f"images has {len(images)} videos, crop {len(crops)} crops and original {len(originals)} "
            "pictures, and one video for each crop is needed: connect EMO Face Region's crop, the picture "
            "that went into it, and the videos of all its faces"
        )
    faces, videos = len(images) // len(originals), list(zip(images, crops, strict=True))
    return [(videos[i * faces : (i + 1) * faces], original) for i, original in enumerate(originals)]
