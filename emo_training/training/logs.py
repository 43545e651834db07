"""A training run's log, its TensorBoard, and the memory it took."""

import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from emo_modules.writing.errors import write_errors
from emo_modules.writing.partial import write_text


def keep_until(log: Path, step: int) -> None:
    """Drop the lines of a JSON-lines log behind `step`: a run that was killed makes these steps again."""
    if log.exists():
        lines = log.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        write_text(log, "".join(whole))


class RunLog:
    """What a run tells: printed lines, `log.jsonl`, `skipped.jsonl` and TensorBoard, all in `folder`."""

    def __init__(self, folder: Path, stage: str, say: Callable[[str], None], board: "Board | None") -> None:
        self.figures_file, self.skipped_file = folder / "log.jsonl", folder / "skipped.jsonl"
        self.stage, self.say, self.board = stage, say, board

    def resume(self, step: int) -> None:
        for path in (self.figures_file, self.skipped_file):
            keep_until(path, step)

    def figures(self, line: Mapping[str, float]) -> None:
        """One line of numbers; of those that are not finite JSON has none, so they become null."""
        known = {name: value if math.isfinite(value) else None for name, value in line.items()}
        self.say(f"{self.stage} {json.dumps(known)}")
        append_line(self.figures_file, known)
        if self.board is not None:
            self.board.figures(known)

    def skipped(self, step: int, reason: str, samples: Sequence[str]) -> None:
        self.say(f"{self.stage} step {step}: no update, its {reason}; samples {', '.join(samples)}")
        append_line(self.skipped_file, {"step": step, "reason": reason, "samples": list(samples)})

    def video(self, step: int, frames: Tensor, fps: float) -> None:
        """Frames (F, H, W, 3) uint8, where there is a board to show them."""
        if self.board is not None:
            self.board.video(step, frames, fps)


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    with write_errors(path), path.open("a") as file:
        file.write(json.dumps(content, allow_nan=False) + "\n")


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

    def figures(self, line: Mapping[str, float | None]) -> None:
        for name, value in line.items():
            if name != "step" and value is not None:
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
