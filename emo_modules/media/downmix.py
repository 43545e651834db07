"""Many channels as two, after ITU-R BT.775-4 annex 4, and as the one that an audio encoder hears."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

HALF_POWER = 0.5**0.5
FRONT = {"FL", "FR", "FLC", "FRC", "DL", "DR"}
WITHOUT_SPEECH = {"LFE", "LFE2"}
# The loudspeakers of so many channels in a WAV file, where nothing names them.
WAV_ORDER = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
CANCELLED = 0.1  # of the loudest channel, 20 dB below it

_log = logging.getLogger(__name__)


def to_stereo(waveform: Tensor, loudspeakers: Sequence[str] | None = None) -> Tensor:
    """waveform (channels, T) as (2, T), or (1, T) when it has one channel: mono and stereo stay as they are.

    Surround is mixed after BT.775: the centre goes to both sides and each surround to its own at -3 dB, so
    that dialogue keeps its power; LFE is left out. `loudspeakers` are libav's names ("FL", "FC", ...), one
    for each channel; without them WAV's order is taken, and more than 8 channels are averaged. The sum may
    exceed full scale.
    """
    if len(waveform) <= 2:
        return waveform
    named = {"FL", "FC"} & set(loudspeakers or ())  # libav says NONE where a file does not name them
    names = loudspeakers if named else WAV_ORDER.get(len(waveform))
    if names is None:
        return waveform.mean(dim=0, keepdim=True)
    shares = torch.tensor([_left_and_right(name) for name in names], dtype=waveform.dtype).T
    return shares.to(waveform.device) @ waveform


def _left_and_right(loudspeaker: str) -> tuple[float, float]:
    if loudspeaker in WITHOUT_SPEECH:
        return 0.0, 0.0
    level = 1.0 if loudspeaker in FRONT else HALF_POWER
    side = {"L", "R"} & set(loudspeaker[1:])
    if not side:  # a surround in the middle is shared by two loudspeakers before it is mixed
        level = HALF_POWER if loudspeaker == "FC" else 0.5
    return (0.0 if side == {"R"} else level), (0.0 if side == {"L"} else level)


def to_mono(waveform: Tensor) -> Tensor:
    """waveform (channels, T) or (T,) as (T,): the mean of `to_stereo`'s channels.

    Where left and right cancel each other (one is the other upside down, as after a wrong cable), the louder
    one is taken and a warning says so.
    """
    if waveform.ndim == 1 or len(waveform) == 1:
        return waveform.flatten()
    stereo = to_stereo(waveform)
    mono = stereo.mean(dim=0)
    levels = torch.linalg.vector_norm(stereo, dim=1)
    if torch.linalg.vector_norm(mono) < CANCELLED * levels.max():
        _log.warning("left and right cancel each other, one is upside down: the louder of them is heard")
        return stereo[levels.argmax()]
    return mono
