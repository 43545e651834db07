"""What training takes of a GPU, and what a LoRA learns there: measured at full width, with random weights.

    python -m benchmarks.train_gpu --out measured --seconds 200
    python -m benchmarks.train_gpu --out measured --device cpu --tiny     # the same with little of everything

Each row goes to OUT/rows.json as soon as it is done, and is not measured again. Rows of `memory` are those
that benchmarks.train_memory counts, two per structure's stage and setting; rows of `overfit` train a LoRA of
rank 4 on one small clip under one noise, compare all other weights with what they were, bit for bit, and
leave the LoRA in OUT.
"""

import argparse
import gc
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.train_memory import SETTINGS, STRUCTURES
from benchmarks.wide.one_clip import OneClip, random_clip
from benchmarks.wide.weights import random_emo
from emo_modules.checkpoints.adapter import AdapterInfo, write_adapter
from emo_modules.config import EMOConfig, UNetConfig
from emo_modules.models.precision import fast_type
from emo_modules.writing.digest import digest, file_digest
from emo_modules.writing.partial import write_json
from emo_training.training.batch_sources import Drawn
from emo_training.training.loop import Trainer
from emo_training.training.lora import alpha_of, low_rank_layers
from emo_training.training.sample_set import Draw
from emo_training.training.stages import PAPER_STAGES, stage_of
from emo_training.training.train_config import TrainConfig

FRAMES = 12  # of a clip whose memory is measured
WARM_UP, TIMED = 2, 3  # updates
CARDS = (8, 10, 12, 16, 24, 32, 40, 48)  # gigabytes that cards are sold with, of 2**30 bytes
SMALL = 64  # pixels of the clip that is overfitted
UPDATES, RATE = 300, 2e-3  # of overfitting
LEARNED = 0.01  # which ends before when this share of the first loss is left
POINTS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200)  # updates whose losses are told
WITH_TORCHAO: dict[str, dict[str, Any]] = {
    "lora, int8": SETTINGS["lora"] | {"frozen": "int8"},
    "whole, adamw8bit": SETTINGS["whole"] | {"optimizer": "adamw8bit"},
}


@dataclass(frozen=True)
class Row:
    structure: str
    task: str = "memory"
    stage: str = "video"
    setting: str = "lora"

    @property
    def name(self) -> str:
        return f"{self.task}: {self.structure}, {self.stage}, {self.setting}"

    @property
    def config(self) -> EMOConfig:
        return STRUCTURES[self.structure]()


@dataclass(frozen=True)
class Measuring:
    """How all rows are measured."""

    device: torch.device
    out: Path
    size: int
    tiny: bool
    graph: bool

    def config(self, row: Row, size: int) -> EMOConfig:
        config = replace(row.config, width=size, height=size)
        return little_of(config) if self.tiny else config


def little_of(config: EMOConfig) -> EMOConfig:
    """The same kinds of layers, few of them, with few channels."""
    shape: dict[str, Any] = {"block_out_channels": (16, 32), "attention_levels": (True, False)}

    def narrow(unet: UNetConfig) -> UNetConfig:
        return replace(unet, **shape, layers_per_block=1, heads=2, norm_groups=8)

    return replace(
        config,
        backbone=narrow(config.backbone),
        reference_net=narrow(config.reference_net),
        audio=replace(config.audio, hidden_dim=16),
        face_locator_channels=(4, 8, 8, 8),
    )


def all_rows() -> list[Row]:
    """What matters most comes first."""
    rows = [Row(structure) for structure in STRUCTURES]
    rows += [Row(structure, "overfit") for structure in STRUCTURES]
    rows += [Row("paper", stage=stage, setting="whole") for stage in PAPER_STAGES]
    rows += [Row(structure, setting=setting) for setting in SETTINGS for structure in STRUCTURES]
    rows += [Row("paper", stage=stage, setting=setting) for setting in SETTINGS for stage in PAPER_STAGES]
    if find_spec("torchao"):
        rows += [Row("paper", setting=setting) for setting in WITH_TORCHAO]
    return list(dict.fromkeys(rows))


def start(row: Row, config: EMOConfig, run: TrainConfig, asked: Measuring) -> tuple[Trainer, Iterator[Drawn]]:
    stage = stage_of(config, row.stage)
    frames = config.clip_frames if row.task == "overfit" else FRAMES
    source = OneClip(random_clip(config, stage, frames if stage.clips else 1))
    model = random_emo(config, asked.device)
    trainer = Trainer(model, source, run, asked.out)
    trainer.model.train()
    return trainer, source.stream(range(run.steps))


def memory(row: Row, asked: Measuring) -> dict[str, Any]:
    """Gigabytes, and seconds of an update."""
    settings: dict[str, Any] = {"stage": row.stage, **(SETTINGS | WITH_TORCHAO)[row.setting]}
    run = TrainConfig(steps=WARM_UP + TIMED + len(CARDS), sampling=Draw(batch=1), **settings)
    trainer, batches = start(row, asked.config(row, asked.size), run, asked)
    forget_peaks(asked.device)
    seconds = [timed(trainer, batches) for _ in range(WARM_UP + TIMED)]
    taken = gigabytes(asked.device)
    return {
        "trained_millions": round(sum(p.numel() for _, p in trainer.named) / 1e6, 1),
        "seconds": round(median(seconds[WARM_UP:]), 3),
        **taken,
        "fits_gb": smallest_card(trainer, batches, taken["tensors_gb"]) if taken else None,
    }


def timed(trainer: Trainer, batches: Iterator[Drawn]) -> float:
    begun = time.perf_counter()
    trainer.step(batches)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def forget_peaks(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def gigabytes(device: torch.device) -> dict[str, float]:
    """At the worst moment: of tensors, of PyTorch's allocator, and of the whole card as its driver says,
    which nothing else uses; nothing where there is no card."""
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info()
    sizes = {
        "tensors": torch.cuda.max_memory_allocated(),
        "allocator": torch.cuda.max_memory_reserved(),
        "card": total - free,
    }
    return {f"{name}_gb": round(size / 1e9, 2) for name, size in sizes.items()}


def smallest_card(trainer: Trainer, batches: Iterator[Drawn], least: float) -> int | None:
    """The smallest of CARDS in which an update fits, beside what CUDA itself takes; those that have less than
    `least` gigabytes are not tried."""
    free, total = torch.cuda.mem_get_info()
    cuda = total - free - torch.cuda.memory_reserved()
    found = None
    for size in (size for size in CARDS if size * 2**30 > least * 1e9):
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((size * 2**30 - cuda) / total)
        try:
            trainer.step(batches)
        except torch.OutOfMemoryError:
            continue
        found = size
        break
    torch.cuda.set_per_process_memory_fraction(1.0)
    return found


def overfit(row: Row, asked: Measuring) -> dict[str, Any]:
    """One clip is learned by LoRA alone, which is left in a file."""
    stage: Any = row.stage  # which mypy takes for any text
    half = fast_type(asked.device) != torch.float32  # a CPU may need six times as long in bfloat16
    run = TrainConfig(
        stage, UPDATES, lr=RATE, warmup=5, sampling=Draw(batch=1), ema=None, lora=4, lora_parts="all",
        frozen="bf16" if half else "fp32", precision="bf16" if half else "no", graph=asked.graph,
    )  # fmt: skip
    trainer, batches = start(row, asked.config(row, SMALL), run, asked)
    before = {name: digest(p) for name, p in frozen(trainer.emo)}  # a copy would double 9 GB of float32
    losses: list[float] = []
    begun = time.perf_counter()
    while len(losses) < UPDATES and (not losses or losses[-1] > LEARNED * losses[0]):
        losses.append(trainer.step(batches)["denoise"])
    seconds = (time.perf_counter() - begun) / len(losses)
    changed = [name for name, p in frozen(trainer.emo) if digest(p) != before[name]]
    path = asked.out / f"lora-{row.structure}.safetensors"
    save_rounded(path, trainer)
    return {
        "updates": len(losses),
        "seconds": round(seconds, 3),
        "trained_millions": round(sum(p.numel() for _, p in trainer.named) / 1e6, 1),
        "losses": curve(losses),
        "left": round(losses[-1] / losses[0], 5),
        "frozen": len(before),
        "frozen_millions": round(sum(p.numel() for _, p in frozen(trainer.emo)) / 1e6, 1),
        "changed": changed,
        "file": path.name,
        "file_digest": file_digest(path),
    }


def curve(losses: list[float]) -> dict[int, float]:
    """By update."""
    told = [step for step in (*POINTS, len(losses)) if step <= len(losses)]
    return {step: round(losses[step - 1], 5) for step in told}


def frozen(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, p) for name, p in model.named_parameters() if not p.requires_grad)


def save_rounded(path: Path, trainer: Trainer) -> None:
    """The LoRA in bfloat16: half the size."""
    config, run = trainer.emo.config, trainer.config
    layers = low_rank_layers(((name, p.bfloat16()) for name, p in trainer.named), alpha_of(run))
    parts = tuple(sorted({name.split(".")[0] for name in layers}))
    write_adapter(path, AdapterInfo(config.family, run.lora or 0, parts, config.name), layers)


def measured(row: Row, asked: Measuring) -> dict[str, Any]:
    """The figures, or why there are none, such as too little memory or a library that is not installed."""
    try:
        return {"overfit": overfit, "memory": memory}[row.task](row, asked)
    except (RuntimeError, ImportError) as error:
        return {"error": str(error).splitlines()[0]}


def machine(device: torch.device) -> dict[str, str]:
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    return {"device": name, "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=512, help="pixels of the clips of `memory`")
    parser.add_argument("--tiny", action="store_true", help="few channels and 64 pixels: a trial")
    parser.add_argument("--seconds", type=float, default=math.inf, help="no row starts after that")
    parser.add_argument("--plain", action="store_true", help="overfit without CUDA graphs, which take no")
    options = parser.parse_args()
    device = torch.device(options.device)
    asked = Measuring(
        device,
        options.out,
        SMALL if options.tiny else options.size,
        options.tiny,
        device.type == "cuda" and not options.plain,
    )
    asked.out.mkdir(parents=True, exist_ok=True)
    go_through(asked, options.seconds)


def go_through(asked: Measuring, seconds: float) -> None:
    begun, file = time.monotonic(), asked.out / "rows.json"
    done: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for row in all_rows():
        if time.monotonic() - begun > seconds:
            break
        if "error" in done.get(row.name, {"error": "not measured"}):
            started = time.monotonic()
            found = measured(row, asked) | machine(asked.device)
            gc.collect()
            done[row.name] = asdict(row) | found | {"row_seconds": round(time.monotonic() - started, 1)}
            print(json.dumps(done[row.name]), flush=True)
            write_json(file, done, indent=1)


if __name__ == "__main__":
    main()
