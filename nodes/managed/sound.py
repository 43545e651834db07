"""AUDIO as other packs hand it over, as ComfyUI means it."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...emo_modules.media.audio import check_audio
from .values import as_tensor, describe, whole_number

MOST_CHANNELS = 64
FASTEST = 10_000_000  # Hz
WHOLE_NUMBERS = 256.0  # floats above are 16-bit samples that were never divided
FULL_SCALE = {torch.uint8: 2**7, torch.int8: 2**7, torch.int16: 2**15, torch.int32: 2**31}
KEYS = ("waveform", "sample_rate")


def sound(name: str, value: Any, log: logging.Logger) -> dict[str, Any]:
    """AUDIO -> {"waveform": (B, channels, T) float32 on the CPU, "sample_rate": int}.

    Takes other mappings, a list of one, arrays, (T,) and (channels, T), time before channels, integers and
    floats in the range of 16-bit samples, and whole rates of any kind. Raises ValueError for anything else,
    nothing to hear, NaN, and more than 64 channels.
    """
    found = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    if not isinstance(found, Mapping) or any(key not in found for key in KEYS):
        raise ValueError(
            f"{name} must be an AUDIO, a dictionary of waveform and sample_rate, got {describe(found)}"
        )
    rate = whole_number(f"{name}'s sample_rate", found["sample_rate"], 1, FASTEST)
    return {"waveform": _scaled(name, _waveform(name, found["waveform"]), log), "sample_rate": rate}


def _waveform(name: str, value: Any) -> Tensor:
    """(B, channels, T) of its own type."""
    found = as_tensor(value)
    if (
        found is None
        or not (found.is_floating_point() or found.dtype in FULL_SCALE)
        or not 1 <= found.ndim <= 3
    ):
        raise ValueError(
            f"{name}'s waveform must be a tensor (B, channels, T) of samples, got {describe(value)}"
        )
    found = found[(None,) * (3 - found.ndim)]
    if found.shape[1] > MOST_CHANNELS >= found.shape[2]:
        found = found.mT
    if found.shape[1] > MOST_CHANNELS:
        raise ValueError(
            f"{name}'s waveform must have at most {MOST_CHANNELS} channels, (B, channels, T), got "
            f"{describe(value)}: are the axes mixed up?"
        )
    return found


def _scaled(name: str, waveform: Tensor, log: logging.Logger) -> Tensor:
    whole = FULL_SCALE.get(waveform.dtype)
    middle = 2**7 if waveform.dtype == torch.uint8 else 0
    samples = (waveform.float() - middle) / whole if whole else waveform.float()
    check_audio(samples)
    peak = max(abs(side.item()) for side in samples.aminmax())  # without a copy of an hour
    if WHOLE_NUMBERS < peak <= FULL_SCALE[torch.int16]:
        log.warning("%s has samples up to %g where 1 is full scale: divided by 32768", name, peak)
        return samples / FULL_SCALE[torch.int16]
    if peak > WHOLE_NUMBERS:
        raise ValueError(
            f"{name}'s samples must lie between -1 and 1, got {peak:g}: scale them before this node"
        )
    return samples
