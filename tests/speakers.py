"""Sound through a pipe, as fast or slowly as a test speaks."""

import io
import os
import time
from collections.abc import Callable
from io import FileIO

import soundfile
from torch import Tensor

PATIENCE = 60  # seconds after which a test that waits for what does not come goes on, and fails


class Speaker:
    """A WAV of 16 bits whose header promises no length, written piece by piece into a pipe."""

    def __init__(self, rate: int, channels: int = 1) -> None:
        reading, self._writing = os.pipe()
        self.file, self._rate = FileIO(reading), rate
        whole = io.BytesIO()
        soundfile.write(whole, [[0.0] * channels], rate, "PCM_16", format="WAV")
        header = bytearray(whole.getvalue()[:44])
        header[4:8] = header[40:44] = b"\xff" * 4
        os.write(self._writing, header)

    def say(self, waveform: Tensor) -> None:
        """(channels, T). Blocks beyond what a pipe holds, 64 KiB on Linux."""
        whole = io.BytesIO()
        soundfile.write(whole, waveform.T.numpy(), self._rate, "PCM_16", format="WAV")
        os.write(self._writing, whole.getvalue()[44:])

    def end(self) -> None:
        os.close(self._writing)


def deadline() -> Callable[[], bool]:
    end = time.monotonic() + PATIENCE
    return lambda: time.monotonic() > end
