"""EMO itself (arXiv 2402.17485)."""

from torch import Tensor

from ..cues.box import Box
from ..cues.face import region_mask
from ..cues.locator import FACE_MARGIN, Cues
from ..speech.wav2vec2 import encode_audio
from .family import Family, wav2vec2


def _cues(face: Box, height: int, width: int, points: Tensor | None) -> Cues:
    box = face.scaled(FACE_MARGIN).clipped(width, height)
    return Cues(region_mask([box], height, width)[None], None)


EMO = Family(
    wav2vec2(
        "the wav2vec2 beside it (the paper's model: wav2vec2-base-960h)",
        lambda encoder, audio, frames, config: encode_audio(encoder, audio, frames, config.fps),
        plain=True,
    ),
    _cues,
    picture_channels=1,
    any_region=True,
)
