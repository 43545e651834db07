"""Sound as it comes through a pipe: WAV sample by sample, other formats as libav reads them."""

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import RawIOBase
from typing import Self

import av

from .sound_track import Loss, timed_sound

# Of WAV's kinds and bits: libav's decoders
CODECS = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16le",
    (1, 24): "pcm_s24le",
    (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le",
    (3, 64): "pcm_f64le",
    (6, 8): "pcm_alaw",
    (7, 8): "pcm_mulaw",
}
PIECE = 2**15  # bytes that are read at once, at most
EXTENSIBLE = 0xFFFE  # the kind stands further back
UNKNOWN = 0x7F000000  # bytes; what writes a WAV into a pipe gives its length as 0 or as more than this
LONGEST_CHUNK = 2**20  # bytes of what stands before the sound
LONGEST_PAUSE = 60.0  # seconds; nothing says how long a pipe lasts, and a longer gap is a clock that was set

_log = logging.getLogger(__name__)


class Pipe:
    """A file as libav reads it. `used` says whether anything was in it."""

    def __init__(self, file: RawIOBase) -> None:
        self._file, self._back, self.used = file, b"", False
        self.left: int | None = None  # bytes until its end, where that is not the file's

    def read(self, size: int) -> bytes:
        """What there is, up to `size` bytes; none at the end."""
        size = size if self.left is None else min(size, self.left)
        found = self._back[:size] or (self._file.read(size) if size else b"") or b""
        self._back = self._back[size:]
        self.used = self.used or bool(found)
        if self.left is not None:
            self.left -= len(found)
        return found

    def take(self, size: int) -> bytes:
        """So many bytes, or all until the end."""
        taken = b""
        while len(taken) < size and (found := self.read(size - len(taken))):
            taken += found
        return taken

    def give_back(self, taken: bytes) -> None:
        self._back = taken + self._back


def sound_in(pipe: Pipe, name: str) -> Iterator[tuple[float, av.AudioFrame]]:
    """Frames as they come, and the seconds of silence before each. Raises av.FFmpegError for what cannot be
    read, ValueError for what has no sound; `name` begins the sentence."""
    taken = pipe.take(12)
    if taken[:4] == b"RIFF" and taken[8:] == b"WAVE":
        found = _samples_of_wav(pipe)
        if isinstance(found, Samples):
            yield from ((0.0, frame) for frame in found.frames(pipe))
            return
        taken += found
    pipe.give_back(taken)
    # formats that name other files find none: only the pipe may be read
    options = {"protocol_whitelist": "pipe"}
    with av.open(pipe, "r", options=options, metadata_errors="replace") as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, av.AudioStream):
            kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
            raise ValueError(f"{name} has no audio stream, found: {kinds}. Choose one with sound")
        loss = Loss()
        yield from ((gap, frame) for _, gap, frame in timed_sound(container, stream, loss, LONGEST_PAUSE))
        if str(loss):
            _log.warning("%s: %s", name, loss)


@dataclass(frozen=True)
class Samples:
    """How the samples of a WAV are written, after its `fmt ` chunk."""

    kind: int
    channels: int
    rate: int
    bits: int

    @classmethod
    def read(cls, chunk: bytes) -> Self:
        kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
        if kind == EXTENSIBLE and len(chunk) >= 26:
            (kind,) = struct.unpack("<H", chunk[24:26])
        return cls(kind, channels, rate, bits)

    @property
    def codec(self) -> str | None:
        return CODECS.get((self.kind, self.bits)) if self.channels and self.rate else None

    def frames(self, pipe: Pipe) -> Iterator[av.AudioFrame]:
        """As much at a time as is there."""
        decoder = av.CodecContext.create(self.codec or "", "r")
        assert isinstance(decoder, av.AudioCodecContext)  # the type follows from the name
        decoder.sample_rate, decoder.layout = self.rate, f"{self.channels}c"
        size, rest = self.channels * self.bits // 8, b""
        while found := pipe.read(PIECE):
            rest += found
            whole = len(rest) // size * size
            if whole:
                yield from decoder.decode(av.Packet(rest[:whole]))
            rest = rest[whole:]


def _samples_of_wav(pipe: Pipe) -> Samples | bytes:
    """With the pipe where the samples begin, or, of a WAV that is not bare samples, the bytes that were read.

    libav's own reader waits for 64 KiB, two seconds of speech, to see whether they are not DTS, and then for
    pieces of a 16th of a second.
    """
    taken, samples = b"", None
    while len(chunk := pipe.take(8)) == 8:
        taken += chunk
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data" and samples is not None and samples.codec:
            pipe.left = size if 0 < size < UNKNOWN else None
            return samples
        if name == b"data" or size > LONGEST_CHUNK:
            break
        body = pipe.take(size + size % 2)
        taken += body
        if name == b"fmt " and len(body) >= 16:
            samples = Samples.read(body)
    return taken
