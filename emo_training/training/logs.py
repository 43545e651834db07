"""A training run's log, its TensorBoard, and the memory it took."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from emo_modules.writing.partial import write_text


def keep_until(log: Path, step: int) -> None:
    """Drop the lines of a JSON-lines log behind `step`: a run that was killed makes these steps again."""
    if log.exists():
        lines = log.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        write_text(log, "".join(whole))


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that was allocated on a GPU, or that the process held in main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Board:
    """TensorBoard logs in `folder/tensorboard`; what an earlier, killed run wrote behind `step` is hidden."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def figures(self, line: dict[str, Any]) -> None:
        for name, value in line.items():
            if name != "step":
                self.writer.add_scalar(name, value, line["step"])
        self.writer.flush()

    def video(self, step: int, frames: Tensor, fps: float) -> None:
        """Frames (F, H, W, 3) uint8 as a looping picture (SummaryWriter.add_video needs moviepy)."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        count, height, width, _ = frames.shape
        encoded = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=as_gif(frames, fps)
        )
        summary = Summary(value=[Summary.Value(tag="samples", image=encoded)])
        assert self.writer.file_writer is not None, "the board is never closed"
        self.writer.file_writer.add_summary(summary, step)
        self.writer.flush()


def as_gif(frames: Tensor, fps: float) -> bytes:
    pictures = [Image.fromarray(frame.numpy()) for frame in frames]
    out = io.BytesIO()
    pictures[0].save(
        out, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0
    )
    return out.getvalue()
