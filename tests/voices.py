"""Whether the synthesizers that speak for the drawn people are installed."""

import shutil

import pytest


def has_voice(voice: str) -> bool:
    return shutil.which("flite" if voice.startswith("flite:") else "espeak-ng") is not None


needs_voices = pytest.mark.skipif(
    not (has_voice("flite:") and has_voice("espeak:")),
    reason="the Debian packages flite and espeak-ng are not both installed: apt-get install flite espeak-ng",
)
