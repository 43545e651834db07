"""The settings of one stage's training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from emo_modules.checked import Checked, Range
from emo_modules.models.precision import fast_type

from .losses import LossConfig
from .sample_set import Draw
from .stages import DEMO_STAGES, PAPER_STAGES, Stage


@dataclass(frozen=True)
class TrainConfig(Checked):
    """One run of one stage. The defaults are the paper's (EMO sec. 4.1): learning rate 1e-5, batch 4."""

    stage: Annotated[
        Literal["image", "video", "speed", "whole"], "of the paper's three; whole: of its relatives"
    ]
    steps: Annotated[int, "updates of the weights, at the end of which the stage is done"]
    demo: bool = False  # the demo's stage table
    lr: Annotated[float, "default: 1e-5, the paper's"] = 1e-5
    fresh_rate: float = 1.0  # multiplies the learning rate of audio and speed layers
    warmup: int = 500
    sampling: Draw = Draw()
    loss: LossConfig = LossConfig()
    accumulate: Annotated[int, "batches of each process per update"] = 1
    recompute: Annotated[bool, "gradient checkpointing"] = False
    optimizer: Literal["adamw", "adafactor"] = "adamw"  # Adafactor keeps no moments: a third of the memory
    ema: float | None = 0.999  # None: no averaged weights, which are a copy of what is trained
    seed: Annotated[int, "of fresh layers, of the order of samples and of noise"] = 0
    precision: Annotated[
        Literal["auto", "no", "bf16", "fp16"], "default: auto, what the device is fast in, but not fp16"
    ] = "auto"
    minutes: Annotated[float | None, "stop, resumable, after this much wall clock"] = None
    clock: Annotated[float | None, "minutes, over all sittings, that end the stage before its steps do"] = (
        None
    )
    save_every: Annotated[int, "steps; default: 250"] = 250
    keep_last: Annotated[int, Range(1, 1000), "states, of the last saves; default: 2"] = 2
    log_every: int = 25
    graph: Annotated[bool, "a GPU repeats what was captured of the first step: faster for small models"] = (
        False
    )

    def impossible(self) -> Iterator[str]:
        if self.graph and self.accumulate > 1:
            yield f"graph captures a step of one batch, got accumulate {self.accumulate}"
        draw = self.sampling
        if self.loss.own_motion and draw.frames < draw.motion_frames:
            yield f"own_motion needs as many frames as motion frames, {draw.motion_frames}, got {draw.frames}"

    @property
    def mixed_precision(self) -> Literal["no", "bf16", "fp16"]:
        """On the device that trains here."""
        if self.precision != "auto":
            return self.precision
        kind = "cuda" if torch.cuda.is_available() else "cpu"
        return "bf16" if fast_type(kind) == torch.bfloat16 else "no"

    @property
    def table(self) -> Stage:
        return (DEMO_STAGES if self.demo else PAPER_STAGES)[self.stage]
