"""A source's sound as 16 kHz mono, placed by its time stamps on the clock of the pictures."""

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..perception.rates import SAMPLE_RATE
from .spans import Sound
from .video_reader import open_media

TOLERANCE = 0.02  # seconds by which time stamps may jitter before they are believed over the samples' count
LONGEST = 48 * 3600  # seconds
LEVEL_WINDOW = SAMPLE_RATE // 20
SILENCE = -50.0  # dBFS


def read_sound(path: Path, origin: Fraction, folder: Path) -> Sound:
    """Decodes the sound into a file without a name in `folder`, mapped: hours of it take no memory.

    Gaps in the time stamps are zeros; what comes before `origin`, the first picture's time, is left out.
    Raises ValueError when nothing can be decoded, OSError when the disk is full.
    """
    begin, end = None, 0
    with tempfile.TemporaryFile(dir=folder) as file:
        for place, samples in _place(path, origin):
            if place > LONGEST * SAMPLE_RATE:
                raise ValueError(f"sound jumps ahead: to {place / SAMPLE_RATE:.0f} s, at most {LONGEST}")
            samples, place = samples[max(0, -place) :], max(0, place)
            if len(samples):
                file.seek(place * 2)
                file.write(samples.tobytes())
                begin, end = (place if begin is None else begin), max(end, place + len(samples))
        if begin is None:
            raise ValueError("no sound: its stream holds none while there are pictures")
        file.flush()
        return Sound(np.memmap(file, np.int16, "r", shape=(end,)), begin, end)


def _place(path: Path, origin: Fraction) -> Iterator[tuple[int, np.ndarray]]:
    """Pieces (S,) int16 at 16 kHz and each one's place in samples since `origin`."""
    expected, place, to_mono, setup = None, 0, None, None
    for time, frame in _decode(path, origin):
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if expected is None or abs(time - expected) > TOLERANCE or now != setup:
            yield from _resample(to_mono, None, place)
            to_mono, setup = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE), now
            place, expected = round(time * SAMPLE_RATE), time
        for piece_place, samples in _resample(to_mono, frame, place):
            yield piece_place, samples
            place = piece_place + len(samples)
        expected += frame.samples / frame.sample_rate
    yield from _resample(to_mono, None, place)


def _resample(
    to_mono: av.AudioResampler | None, frame: av.AudioFrame | None, place: int
) -> Iterator[tuple[int, np.ndarray]]:
    for piece in to_mono.resample(frame) if to_mono else ():
        samples = piece.to_ndarray()[0]
        yield place, samples
        place += len(samples)


def _decode(path: Path, origin: Fraction) -> Iterator[tuple[float, av.AudioFrame]]:
    with open_media(path) as container:
        stream = container.streams.best("audio")
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                continue  # leaves a gap
            for frame in frames:
                if not isinstance(frame, av.AudioFrame) or frame.pts is None or frame.time_base is None:
                    continue
                if frame.samples:
                    frame_time = float(frame.pts * frame.time_base - origin)
                    frame.pts = None  # the resampler would fill gaps of its own
                    yield frame_time, frame


def level(samples: np.ndarray) -> float:
    """How loud (S,) int16 or float samples are where they are loud: dBFS of the 95th percentile of 50 ms."""
    scale = 32768.0 if samples.dtype == np.int16 else 1.0
    loudness = [
        np.sqrt(np.mean((samples[i : i + LEVEL_WINDOW] / scale) ** 2))
        for i in range(0, len(samples), LEVEL_WINDOW)
    ]
    return float(20 * np.log10(max(np.percentile(loudness, 95), 1e-6)))
