"""Pictures and sound out of a sample's bytes."""

import io
from collections.abc import Sequence

import av
import numpy as np
import torch
from torch import Tensor

WORTH_A_SEEK = 12  # frames; nearer ones are decoded on the way (prepare sets a key frame as often)


def decode_pictures(video: bytes, indices: Sequence[int]) -> np.ndarray:
    """The frames (N, H, W, 3) uint8 of an mp4 with these numbers, in the order asked for.

    Frames are numbered from 0 by their time. Raises ValueError when the video has no such frame.
    """
    found: dict[int, np.ndarray] = {}
    with av.open(io.BytesIO(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # workers are processes already
        step = 1 / (stream.average_rate * stream.time_base)
        first, frames, place = stream.start_time or 0, container.decode(stream), -1
        for index in sorted(set(indices)):
            if index - place > WORTH_A_SEEK:
                container.seek(first + round(index * step), stream=stream)
                frames = container.decode(stream)
            for frame in frames:
                place = round((frame.pts - first) / step)
                if place >= index:
                    found[place] = frame.to_ndarray(format="rgb24")
                    break
    if missing := sorted(set(indices) - found.keys()):
        raise ValueError(f"the clip's video has no frame {missing[0]}: it was cut short, prepare it again")
    return np.stack([found[index] for index in indices])


def decode_flac(audio: bytes) -> Tensor:
    """Mono samples (S,) float32."""
    import soundfile

    samples, _ = soundfile.read(io.BytesIO(audio), dtype="float32")
    return torch.from_numpy(samples)
