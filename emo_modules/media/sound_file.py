"""Sound in a file of its own, beside a film that holds none."""

from fractions import Fraction
from pathlib import Path

import av
from torch import Tensor

from ..writing.errors import write_errors
from ..writing.partial import Seen, create_partial, publish
from .audio import Audio
from .files import libav_name
from .formats import WAV

LAYOUTS = {1: "mono", 2: "stereo"}


def write_sound(path: Path, audio: Audio, before: Seen) -> Path:
    """A WAV of 16 bits, which appears whole: `publish` says under which name. waveform (1 or 2, T).

    Returns the name. Raises WriteError.
    """
    with write_errors(path):
        partial = create_partial(path, playable=True)
        try:
            _encode(partial, audio)
            return publish(partial, path, before)
        finally:
            partial.unlink(missing_ok=True)


def _encode(path: Path, audio: Audio) -> None:
    waveform, rate = audio.waveform, audio.sample_rate
    with av.open(libav_name(path), "w") as container:
        stream = container.add_stream(WAV.encoder, rate=rate, layout=LAYOUTS[len(waveform)])
        assert isinstance(stream, av.AudioStream)  # the type follows from the encoder's name
        for first, piece in enumerate(waveform.split(rate, dim=1)):  # an hour of it is copied otherwise
            container.mux(stream.encode(sound_frame(piece, first * rate, rate)))
        container.mux(stream.encode(None))


def sound_frame(piece: Tensor, first: int, rate: int) -> av.AudioFrame:
    """Samples (1 or 2, T) float32 that begin at sample `first` of a track, as encoders take them."""
    frame = av.AudioFrame.from_ndarray(piece.contiguous().numpy(), "fltp", LAYOUTS[len(piece)])
    frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
    return frame
