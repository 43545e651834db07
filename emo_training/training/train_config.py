"""The settings of one stage's training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from emo_modules.checked import Checked, Range
from emo_modules.models.precision import fast_type

from .distillation import Distillation
from .losses import LossConfig
from .sample_set import Draw
from .stages import DEMO_STAGES, DISTILL, PAPER_STAGES, Stage


@dataclass(frozen=True)
class TrainConfig(Checked):
    """One run of one stage. The defaults are the paper's (EMO sec. 4.1): learning rate 1e-5, batch 4."""

    stage: Annotated[
        Literal["image", "video", "speed", "whole", "distill"],
        "of the paper's three; whole: of its relatives; distill: see the command of that name",
    ]
    steps: Annotated[int, "updates of the weights, at the end of which the stage is done"]
    demo: bool = False  # the demo's stage table
    lr: Annotated[float, "default: 1e-5, the paper's"] = 1e-5
    fresh_rate: float = 1.0  # multiplies the learning rate of audio and speed layers
    warmup: int = 500
    sampling: Draw = Draw()
    loss: LossConfig = LossConfig()
    distill: Distillation | None = None
    accumulate: Annotated[int, "batches of each process per update"] = 1
    recompute: Annotated[bool, "gradient checkpointing"] = False
    # of what is trained Adafactor keeps no moments, a third of the memory, and adamw8bit bytes of them
    optimizer: Annotated[
        Literal["adamw", "adamw8bit", "adafactor"], "default: adamw; adamw8bit needs torchao"
    ] = "adamw"
    ema: float | None = 0.999  # None: no averaged weights, which are a copy of what is trained
    ema_on_cpu: Annotated[bool, "averaged weights in main memory"] = False
    lora: Annotated[int | None, "train a LoRA of this rank, nothing else; needs peft"] = None
    lora_alpha: Annotated[int | None, "what is learned counts alpha / rank; default: the rank"] = None
    lora_layers: Annotated[
        Literal["attention", "linear", "all"],
        "beside which layers: the projections of attention (default), all linear ones, or convolutions too",
    ] = "attention"
    lora_parts: Annotated[Literal["stage", "all"], "default: stage, in the parts that the stage trains"] = (
        "stage"
    )
    frozen: Annotated[
        Literal["fp32", "bf16", "int8"],
        "with --lora: how weights are kept that are not trained; int8 needs torchao",
    ] = "fp32"
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
    compile: Annotated[bool, "compile both UNets: slow start, faster steps"] = False
    graph: Annotated[bool, "a GPU repeats what was captured of the first step: faster for small models"] = (
        False
    )

    def impossible(self) -> Iterator[str]:
        if self.graph and self.accumulate > 1:
            yield f"graph captures a step of one batch, got accumulate {self.accumulate}"
        draw = self.sampling
        if self.loss.own_motion and draw.frames < draw.motion_frames:
            yield f"own_motion needs as many frames as motion frames, {draw.motion_frames}, got {draw.frames}"
        if self.graph and self.compile:
            yield "graph and compile both do away with Python's overhead: choose one"
        yield from self._impossible_for_lora()
        yield from self._impossible_to_distil()

    def _impossible_to_distil(self) -> Iterator[str]:
        if (self.stage == DISTILL) != (self.distill is not None):
            yield (
                f"the stage distill and its settings belong together, got {self.stage} and {self.distill}: "
                "the command `distill` gives both"
            )
        if self.distill is not None and self.lora is None:
            yield "a distillation needs a lora: its teacher is the model without it"
        if self.distill is not None and self.graph:
            yield "graph captures one network, and a distillation asks two or three"

    def _impossible_for_lora(self) -> Iterator[str]:
        chosen = (self.lora_alpha, self.lora_layers, self.lora_parts) != (None, "attention", "stage")
        if self.lora is not None and self.lora < 1:
            yield f"lora is the rank, from 1, got {self.lora}"
        if self.lora is None and chosen:
            yield "lora_alpha, lora_layers and lora_parts need a lora, which says the rank"
        if self.lora is None and self.frozen != "fp32":
            yield f"frozen {self.frozen} would round weights that go into the checkpoint: it needs a lora"
        if self.frozen != "fp32" and self.precision in ("no", "fp16"):
            yield f"frozen {self.frozen} is computed with in bf16, got precision {self.precision}"

    @property
    def mixed_precision(self) -> Literal["no", "bf16", "fp16"]:
        """On the device that trains here."""
        if self.precision != "auto":
            return self.precision
        if self.frozen != "fp32":
            return "bf16"
        kind = "cuda" if torch.cuda.is_available() else "cpu"
        return "bf16" if fast_type(kind) == torch.bfloat16 else "no"

    @property
    def table(self) -> Stage:
        return (DEMO_STAGES if self.demo else PAPER_STAGES)[self.stage]
