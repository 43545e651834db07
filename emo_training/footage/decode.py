"""The pictures and the sound of a sample."""

import io
from collections.abc import Sequence

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .shards import Sample

WORTH_A_SEEK = 12  # frames; nearer ones are decoded on the way (prepare sets a key frame as often)


def decode_pictures(video: bytes, indices: Sequence[int]) -> np.ndarray:
    """The frames (N, H, W, 3) uint8 of an mp4 with these numbers, in the order asked for.

    Frames are numbered from 0 by their time. Raises ValueError when the video has no such frame.
    """
    found: dict[int, np.ndarray] = {}
    with av.open(io.BytesIO(video), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # workers are processes already
        assert stream.average_rate and stream.time_base, "an mp4 of `prepare` has both"
        step = 1 / (stream.average_rate * stream.time_base)
        first, frames, place = stream.start_time or 0, container.decode(stream), -1
        for index in sorted(set(indices)):
            if index - place > WORTH_A_SEEK:
                container.seek(first + round(index * step), stream=stream)
                frames = container.decode(stream)
            for frame in frames:
                assert frame.pts is not None, "an mp4 of `prepare` counts its frames"
                place = round((frame.pts - first) / step)
                if place >= index:
                    found[place] = frame.to_ndarray(format="rgb24")
                    break
    if missing := sorted(set(indices) - found.keys()):
        raise ValueError(f"the sample's video has no frame {missing[0]}: it was cut short, prepare it again")
    return np.stack([found[index] for index in indices])


def resize_pictures(pictures: Tensor, height: int, width: int) -> Tensor:
    """Pictures (N, 3, H, W) uint8 at another size."""
    if tuple(pictures.shape[-2:]) == (height, width):
        return pictures
    small = functional.interpolate(pictures.float(), (height, width), mode="bilinear", antialias=True)
    return small.round().byte()


def decode_sound(sample: Sample) -> Tensor:
    """Mono (S,) float32 at 16 kHz. Raises ValueError for a sample without sound."""
    import soundfile

    if sample.audio is None:
        raise ValueError(f"{sample.key} has no sound: leave it out, or prepare it with its sound")
    waveform, _ = soundfile.read(io.BytesIO(sample.audio), dtype="float32")
    return torch.from_numpy(waveform)
