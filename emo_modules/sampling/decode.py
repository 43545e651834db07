"""Latents to frames, in batches that fit, and beside the sampling of the next clip."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ..checkpoints.tiny_decoder import TinyDecoder
from ..checkpoints.vae import VAE
from ..media.finite import check_finite

DECODE_BATCH = 4
Decoder = VAE | TinyDecoder

_log = logging.getLogger(__name__)


def decode_beside(vae: Decoder, clips: Iterable[Tensor]) -> Iterator[Tensor]:
    """As `decode_frames` of clip after clip, but a clip is decoded while the next one is sampled.

    Gains time on a GPU that sampling does not fill, for the memory of one clip's decoding more. On a GPU the
    decoding has a stream of its own.
    """
    stream: torch.cuda.Stream | None = None  # one for all: each has memory of its own
    with ThreadPoolExecutor(max_workers=1) as worker:
        pending: Future[Tensor] | None = None
        for latents in clips:
            if latents.is_cuda and stream is None:
                stream = torch.cuda.Stream(latents.device)
            if pending is not None:
                yield _received(pending.result())
            pending = worker.submit(_decode_on_stream, vae, latents, stream, _ready(latents))
        if pending is not None:
            yield _received(pending.result())


def _received(frames: Tensor) -> Tensor:
    """Not to be overwritten by the decoding of later clips before they are read."""
    if frames.is_cuda:
        frames.record_stream(torch.cuda.current_stream(frames.device))
    return frames


def _ready(latents: Tensor) -> "torch.cuda.Event | None":
    return torch.cuda.current_stream(latents.device).record_event() if latents.is_cuda else None


def _decode_on_stream(
    vae: Decoder, latents: Tensor, stream: "torch.cuda.Stream | None", ready: "torch.cuda.Event | None"
) -> Tensor:
    if stream is None or ready is None:
        return decode_frames(vae, latents)
    stream.wait_event(ready)
    latents.record_stream(stream)
    with torch.cuda.stream(stream):
        return decode_frames(vae, latents)


@torch.no_grad()
def decode_frames(vae: Decoder, latents: Tensor, batch: int = DECODE_BATCH) -> Tensor:
    """Latents (F, C, H, W) -> frames (F, H, W, 3) float32 in 0..1, where the latents are: as 8 bits they are
    a quarter to copy.

    Decodes in smaller batches if memory is short. Raises MemoryError when not even one frame fits, ValueError
    with the remedy when a frame is NaN.
    """
    while True:
        try:
            frames = torch.cat([vae.decode(piece).float() for piece in latents.split(batch)])
            check_finite(frames, "what the VAE decoded")  # and waits for a GPU
            return ((frames + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).contiguous()
        except torch.OutOfMemoryError as error:
            if batch == 1:
                height, width = latents.shape[-2:]
                raise MemoryError(
                    f"not enough memory to decode one frame of {8 * width} x {8 * height} pixels; "
                    "free memory, use half precision, or lower the size"
                ) from error
        # out here the error is gone, and with it the activations that its traceback held
        _log.warning("not enough memory to decode %d frames at once, trying %d", batch, batch // 2)
        batch //= 2
