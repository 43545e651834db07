"""EMO itself (arXiv 2402.17485)."""

from torch import Tensor

from ..config import EMOConfig
from ..cues.box import Box
from ..cues.face import region_mask
from ..cues.locator import FACE_MARGIN, Cues
from ..media.audio import Audio
from ..speech.wav2vec2 import AudioEncoder, encode_audio
from .family import Family, wav2vec2


def _features(encoder: AudioEncoder, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
    return encode_audio(encoder, audio, frames, config.fps)


def _cues(face: Box, height: int, width: int, mesh: Tensor | None) -> Cues:
    box = face.scaled(FACE_MARGIN).clipped(width, height)
    return Cues(region_mask([box], height, width)[None], None)


EMO = Family(
    wav2vec2("the wav2vec2 beside it (the paper's model: wav2vec2-base-960h)", _features, plain=True),
    _cues,
    picture_channels=1,
    any_region=True,
)
