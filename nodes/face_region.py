"""FaceRegionMask."""

from typing import Any

from comfy_api.latest import io, ui
from torch import Tensor
from torch.nn import functional

from ..emo_modules.config import Framing
from ..emo_modules.cues.box import Box
from ..emo_modules.cues.face import Crop, Face, crop_to_face, region_mask
from ..emo_modules.cues.locator import FACE_MARGIN
from .managed.faces import Places, written_boxes
from .managed.notices import show_on
from .managed.pictures import portraits
from .managed.sampling import emo_config
from .schema import CATEGORY, CropType, LandmarksType, follows_schema, supported_keywords

WITHOUT_MODEL = 512  # pixels: the paper's size
MAX_SIDE = 16384
WHOLE_PICTURE, STOP = "use the whole picture", "stop"
SHOWN_SIDE = 1024  # pixels, of the portrait drawn on the node


@follows_schema
class FaceRegionMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FaceRegionMask",
            display_name="EMO Face Region",
            category=CATEGORY,
            description="Finds the face, crops the portrait around it to the model's size and says where the "
            "face may be. Order: a box drawn here, the mask, the bounding box, the landmarks, detection. Of "
            "several people or pictures, each face is a video of its own.",
            inputs=[*_widgets(), *_sockets()],
            outputs=[
                io.Mask.Output(
                    "MASK", display_name="mask", tooltip="Of the crop. To EMO Sampler.", is_output_list=True
                ),
                io.Image.Output(
                    "IMAGE",
                    display_name="image",
                    tooltip="The crop. To EMO Reference Net Encode.",
                    is_output_list=True,
                ),
                CropType.Output(
                    "CROP",
                    display_name="crop",
                    tooltip="The way back, for EMO Paste Back.",
                    is_output_list=True,
                ),
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "face mask", "face crop"]),
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        box_x: int,
        box_y: int,
        box_width: int,
        box_height: int,
        face_index: int,
        crop_width: int,
        crop_height: int,
        no_face: str = WHOLE_PICTURE,
        more_faces: str = "",
        model: Any = None,
        mask: Tensor | None = None,
        bounding_box: Any = None,
        face_landmarks: Any = None,
    ) -> io.NodeOutput:
        drawn = box_width > 0 and box_height > 0
        box = Box(box_x, box_y, box_x + box_width, box_y + box_height) if drawn else None
        more = written_boxes("more_faces", more_faces)
        places = Places(box, more, face_index, mask, bounding_box, face_landmarks)
        pictures = portraits(image)
        with show_on(cls.hidden.unique_id) as log:
            faces = [places.faces(picture, i, len(pictures)) for i, picture in enumerate(pictures)]
            found = [(picture, face) for picture, its in zip(pictures, faces, strict=True) for face in its]
            if len(found) > 1:
                log.info("%d faces: the nodes that follow run once for each", len(found))
        if no_face == STOP and not all(face.found for _, face in found):
            raise ValueError("no face found: draw a box around it, or set no_face to the whole picture")
        config = None if model is None else emo_config(model)
        width = crop_width or (config.width if config else WITHOUT_MODEL)
        height = crop_height or (config.height if config else WITHOUT_MODEL)
        framing = config.framing if config else Framing()
        cut = [_cut(picture, face, width, height, framing) for picture, face in found]
        shown = [_shown(picture, its, len(more)) for picture, its in zip(pictures, faces, strict=True)]
        return io.NodeOutput(*map(list, zip(*cut, strict=True)), ui={"emo_face": shown})


def _cut(
    picture: Tensor, face: Face, width: int, height: int, framing: Framing
) -> tuple[Tensor, Tensor, Crop]:
    """Mask (1, height, width), crop (1, height, width, 3) and the way back."""
    crop, way_back, inside = crop_to_face(picture, face, width, height, framing)
    region = region_mask([inside.scaled(FACE_MARGIN)], height, width)
    return region, crop.movedim(0, -1)[None].contiguous(), way_back


def _shown(picture: Tensor, faces: list[Face], further: int) -> dict[str, Any]:
    """For the page: the portrait, made smaller, in a temporary file; its size, the faces in its pixels, how
    many of them come from more_faces, and what the first was taken from."""
    height, width = picture.shape[:2]
    (saved,) = ui.PreviewImage(_small(picture)[None]).values
    boxes = [face.box for face in faces]
    return {
        "image": dict(saved),
        "width": width,
        "height": height,
        "boxes": [[round(value) for value in (box.x0, box.y0, box.width, box.height)] for box in boxes],
        "further": further,
        "found": faces[0].found,
        "source": faces[0].source,
    }


def _small(picture: Tensor) -> Tensor:
    """(H, W, 3) with the long side at most SHOWN_SIDE: what the node draws, and saves on every run."""
    scale = SHOWN_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[:2]]
    planes = picture.movedim(-1, 0)[None]
    return functional.interpolate(planes, size=size, mode="bilinear", antialias=True)[0].movedim(0, -1)


def _widgets() -> list[io.Input]:
    advanced = supported_keywords(io.Int.Input, advanced=True)
    return [
        io.Image.Input("image", tooltip="The photo or drawing, of any size; of a batch each picture."),
        io.Int.Input(
            "box_x", default=0, min=0, max=MAX_SIDE, tooltip="Left edge of the face, pixels of the picture."
        ),
        io.Int.Input(
            "box_y", default=0, min=0, max=MAX_SIDE, tooltip="Upper edge of the face, pixels of the picture."
        ),
        io.Int.Input(
            "box_width",
            default=0,
            min=0,
            max=MAX_SIDE,
            tooltip="Width of the face in pixels, from ear to ear. 0 looks for the face.",
        ),
        io.Int.Input(
            "box_height",
            default=0,
            min=0,
            max=MAX_SIDE,
            tooltip="Height of the face in pixels, from hairline to chin. 0 looks for the face.",
        ),
        io.Int.Input(
            "face_index",
            default=0,
            min=0,
            max=99,
            tooltip="Which of several faces, when none is drawn: 0 is the largest.",
        ),
        io.Int.Input(
            "crop_width",
            default=0,
            min=0,
            max=4096,
            step=8,
            tooltip="Width of the crop and of the video. 0 takes the connected model's, or 512.",
            **advanced,
        ),
        io.Int.Input(
            "crop_height",
            default=0,
            min=0,
            max=4096,
            step=8,
            tooltip="Height of the crop and of the video. 0 takes the connected model's, or 512.",
            **advanced,
        ),
        io.Combo.Input(
            "no_face",
            options=[WHOLE_PICTURE, STOP],
            default=WHOLE_PICTURE,
            optional=True,
            tooltip="When no face is found: go on with the whole picture, or stop before anything is "
            "rendered.",
            **advanced,
        ),
        io.String.Input(
            "more_faces",
            default="",
            optional=True,
            tooltip="Further faces of the picture: x, y, width and height in its pixels, one face on each "
            "line or with semicolons between them. The + below the picture writes them.",
            **supported_keywords(io.String.Input, advanced=True),
        ),
    ]


def _sockets() -> list[io.Input]:
    return [
        io.Model.Input(
            "model",
            optional=True,
            tooltip="From EMO Load Model: the crop gets its size, and the face stands in it as in training.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="White on the face, from ear to ear and hairline to chin. An empty one counts as none; "
            "so does one that is white along the edges, as Load Image's of a cut-out is. A batch has one for "
            "each face of the picture, or for each picture of a batch.",
        ),
        io.Custom("BOUNDING_BOX").Input(
            "bounding_box",
            optional=True,
            tooltip="From any face detector, taken as it is: ear to ear, hairline to chin. The largest, or "
            "face_index.",
            # newer pages would put a widget here that always sends a box
            extra_dict={"forceInput": True},
        ),
        LandmarksType.Input(
            "face_landmarks", optional=True, tooltip="From core's MediaPipe Face Landmarker."
        ),
    ]
