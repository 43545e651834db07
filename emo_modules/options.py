"""How to render."""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor

from .config import Solver
from .cues.box import Box
from .media.ending import Ending
from .models.deep_cache import OFF


@dataclass(frozen=True)
class Options:
    """None takes the checkpoint's own default. Fields with a text are options of `animate`."""

    seed: Annotated[int, "another seed gives another performance"] = 0
    steps: Annotated[int | None, "denoising steps; default: as the checkpoint says"] = None
    cfg: Annotated[float | None, "guidance; 1 is off and twice as fast; default: the checkpoint's"] = None
    guided_steps: Annotated[
        tuple[float, float],
        "guide only from this share of the steps to that one; the others take half the time",
        ("FROM", "TO"),
    ] = (0.0, 1.0)
    solver: Annotated[Solver | None, "default: the checkpoint's"] = None
    deep_cache: Annotated[
        int,
        "DeepCache: compute the deep layers only at every second (2) or third (3) step; faster, less exact",
    ] = OFF
    decode_beside: Annotated[bool, "decode a clip while the next one is sampled, on a GPU"] = False
    size: Annotated[
        int | None, "pixels of the video's sides, for models that move portraits; default: the checkpoint's"
    ] = None
    # None leaves the speed layers out
    head_speed: Annotated[float | None, "degrees per second: 4 calm, 12 normal, 25 active"] = 12.0
    # Of each frame, instead of `head_speed`; the last one is held
    speed_curve: tuple[float, ...] | None = None
    box: Box | None = None  # of the face, in the portrait's pixels
    mask: Tensor | None = None  # (H, W) of the face region, in the portrait's pixels
    face_index: int = 0  # among several faces, largest first
    identity: Any = None  # whose face it is, for weights that read an embedding: see `face_embedding`
    landmark_pictures: Tensor | None = None  # (F, 3, H, W) in 0..1, for weights that want one for each frame
    start: Annotated[float, "seconds into the sound at which the video begins"] = 0.0
    before: Ending | None = None  # of the video that this one goes on from
