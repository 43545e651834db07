"""A film of sound that is still coming: what its clips hear, and how many there are."""

import copy
import sys
from collections.abc import Iterable, Iterator

from torch import Tensor

from ..config import EMOConfig
from ..families.family import SpeechEncoder
from ..families.table import audio_track
from ..media.audio import SAMPLE_RATE, Audio
from ..media.live_sound import KEPT, LiveSound
from ..speech.wav2vec2 import AudioEncoder, context_windows

ENDLESS = sys.maxsize  # frames
HEARD = 8.0  # seconds before a clip that the encoder hears with it
BEYOND = 1  # frames of which the convolutions for the last frame that is heard see a part
# Loudness and seconds of speech that count as heard before the first sample: silence, which recordings begin
# with, is not brought to the loudness of speech.
USUAL, USUAL_SECONDS = 0.05, 1.0


class LiveTrack:
    """Feature rows of sound that is still coming, made once a clip's own sound has come, as many frames more
    as its last one hears ahead, and `BEYOND`.

    The encoder hears `HEARD` seconds before them, in whole clips. What it wants at unit variance is brought
    there by the half minute up to the last sample heard.
    """

    def __init__(self, encoder: SpeechEncoder, sound: LiveSound, config: EMOConfig) -> None:
        self._sound, self._config = sound, config
        self._encoder, self._normalize = encoder, False
        if isinstance(encoder, AudioEncoder) and encoder.do_normalize:
            self._encoder, self._normalize = copy.copy(encoder), True
            self._encoder.do_normalize = False  # `_normalized` does it

    def windows(self, frames: Tensor) -> Tensor:
        """`context_windows` of a clip's frames, by their numbers (F,)."""
        config, sound = self._config, self._sound
        ahead = config.audio.context + BEYOND
        last = sound.wait_until(int(frames[-1]) + 1 + ahead, config.fps)
        size = config.whole_clips(round(HEARD * config.fps) + len(frames) + ahead)
        first = max(0, last - size)
        heard = sound.heard(first, last, config.fps)
        if self._normalize:
            known = sound.heard(max(0, last - round(KEPT * config.fps)), last, config.fps)
            heard = _normalized(heard, known)
        rows = audio_track(self._encoder, Audio(heard), last - first, config)
        return context_windows(rows, config, frames - first)

    def frames(self) -> int | None:
        """How many there are; None as long as the sound goes on."""
        return self._sound.frames(self._config.fps)

    def while_sounding(self, noise: Iterable[Tensor]) -> Iterator[Tensor]:
        """A clip's noise (F, C, H, W) for each clip that has sound, once it is known to have some."""
        first = 0
        for clip in noise:
            if not self._sound.wait_for(first, self._config.fps):
                return
            yield clip
            first += len(clip)

    def cut(self, clips: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same latents (F, ...), without those of the last clip that have no sound."""
        first = 0
        for clip in clips:
            frames = self.frames()
            yield clip if frames is None else clip[: frames - first]
            first += len(clip)


def _normalized(heard: Tensor, known: Tensor) -> Tensor:
    usual = USUAL_SECONDS * SAMPLE_RATE
    count = len(known) + usual
    mean = known.sum() / count
    return (heard - mean) / ((known.square().sum() + usual * USUAL**2) / count - mean**2).sqrt()
