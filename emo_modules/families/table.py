"""The families by the name that a configuration gives, and what their weights need of sound and face."""

from torch import Tensor

from ..config import EMOConfig
from ..cues.box import Box
from ..cues.face import box_around
from ..cues.locator import FACE_MARGIN, Cues
from ..media.audio import Audio
from .echomimic import ECHOMIMIC
from .emo import EMO
from .family import Family, SpeechEncoder
from .hallo import HALLO
from .v_express import V_EXPRESS

FAMILIES = {"emo": EMO, "hallo": HALLO, "echomimic": ECHOMIMIC, "v_express": V_EXPRESS}
RELEASES = {name: release for family in FAMILIES.values() for name, release in family.releases.items()}


def family_of(config: EMOConfig) -> Family:
    """Raises ValueError for one that is not in the table, or does not give what the networks read."""
    if config.family not in FAMILIES:
        raise ValueError(
            f"{config.name} is of the family {config.family!r}, known are {', '.join(FAMILIES)}: "
            "update this pack"
        )
    FAMILIES[config.family].check(config)
    return FAMILIES[config.family]


def audio_track(encoder: SpeechEncoder, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
    """Audio -> feature rows (R, layers, D), of which each frame reads a window.

    Raises ValueError when the encoder is not the one that the weights need.
    """
    return check_track(family_of(config).hearing.rows(encoder, audio, frames, config), config)


def check_track(rows: Tensor, config: EMOConfig) -> Tensor:
    """Raises ValueError when the rows are not of the encoder that the weights were trained on."""
    found, wanted = tuple(rows.shape[1:]), (config.audio.layers, config.audio.feature_dim)
    if found != wanted:
        raise ValueError(
            f"{config.name} was trained on an audio encoder with {wanted[0]} blocks of {wanted[1]} channels, "
            f"this one has {found[0]} of {found[1]}: choose {family_of(config).hearing.name}"
        )
    return rows


def face_cues(config: EMOConfig, face: Box, height: int, width: int, points: Tensor | None = None) -> Cues:
    """From the face's box, and MediaPipe's mesh (478, 2) or the 68 points (68, 2) if there are any, both in
    pixels of the portrait.

    Without points, lips and eyes are taken to be where they are in an average face.
    """
    cues = family_of(config).cues(face, height, width, points)
    return Cues(None, cues.regions) if config.quirks.locator_pictures else cues


def mask_cues(config: EMOConfig, mask: Tensor, points: Tensor | None = None) -> Cues:
    """From a region (H, W) in 0..1, such as a user draws.

    Families that read no region of any form take the box around it; an empty one is the whole picture.
    """
    height, width = mask.shape
    if family_of(config).any_region and not config.quirks.locator_pictures:
        return Cues(mask[None, None], None)
    face = box_around(mask) or Box(0, 0, width, height)
    return face_cues(config, face.scaled(1 / FACE_MARGIN), height, width, points)
