"""A portrait that speaks while it is spoken to: sound that is still coming -> a film that can be watched."""

import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from .config import EMOConfig
from .media.formats import LIVE
from .media.image import to_bytes
from .media.live_sound import LiveSound
from .media.video import VideoWriter
from .options import Options
from .pipeline import Pipeline
from .prepared import Prepared
from .sampling.decode import decode_frames
from .sampling.live import ENDLESS, LiveTrack
from .writing.errors import WriteError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiveAnimation:
    """`frames` yields (F', H, W, 3) in 0..1, clip by clip, as their sound has come. What was written of the
    sound is forgotten: who writes no film takes it from `sound` all the same, with `between`."""

    frames: Iterator[Tensor]
    fps: float
    sound: LiveSound
    prepared: Prepared


def animate_live(
    pipeline: Pipeline, portrait: Tensor, sound: LiveSound, options: Options | None = None
) -> LiveAnimation:
    """Portrait (H, W, 3) in 0..1 and sound that is still coming -> frames.

    A clip is computed once its own sound has come and the little that its last frame hears ahead. The last
    clip ends with the sound, or is the one in which the sound was `stopped`. Raises ValueError for weights
    that do not go clip by clip, and for options of whole sounds.
    """
    config, options = pipeline.config, options or Options()
    check_goes_live(config)
    if options.start or options.decode_beside:
        raise ValueError("start and decode_beside need what has not come yet: leave them out")
    prepared = Prepared.from_portrait(portrait, options, config)
    track = LiveTrack(pipeline.audio_encoder, sound, config)
    clips = track.cut(pipeline.latents(prepared, track, ENDLESS, options, stopped=sound.stopped))
    frames = (decode_frames(pipeline.decoder, latents) for latents in clips)
    return LiveAnimation(frames, config.fps, sound, prepared)


def check_goes_live(config: EMOConfig) -> None:
    """Raises ValueError for weights that do not go clip by clip."""
    if config.quirks.windows or config.quirks.locator_pictures:
        raise ValueError(
            f"{config.name} renders a whole video at once, once its sound has ended: choose weights "
            "that go clip by clip, EMO's or Hallo's"
        )


def write_live(animation: LiveAnimation, path: Path) -> int:
    """Write an MP4 that plays while it grows: a new file or, where `path` is -, standard output.

    Returns how many there are. When the reader of a pipe goes, the film ends. Raises as `VideoWriter`.
    """
    crop, index = animation.prepared.crop, 0
    writer = VideoWriter(path, crop.width, crop.height, animation.fps, animation.sound, format=LIVE)
    try:
        with writer:
            writer.end_sound_with_frames()
            for frames in animation.frames:
                for frame in to_bytes(frames).cpu():
                    writer.write(frame)
                    index += 1
    except WriteError as error:
        if error.errno != errno.EPIPE:
            raise
        _log.info("whoever read the film has closed it")
    return index
