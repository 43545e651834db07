"""One training loop for every stage and size, on `accelerate`: one CPU, one GPU or many."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.models.emo import EMO
from emo_modules.schedule import alphas_cumprod
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_modules.writing.errors import write_errors
from emo_modules.writing.partial import whole_file

from .batch_sources import BatchSource, Drawn
from .graphs import Graphed
from .logs import Board, keep_until, peak_memory
from .losses import Noised, add_training_noise
from .objective import Denoising, Objective
from .optimizers import build_optimizer
from .progress import TrainProgress
from .sample_set import Batch
from .stages import Stage, select_parameters
from .state import find_state, new_state, replace_state
from .train_config import TrainConfig

Sheet = Callable[[EMO, Path], Tensor]


class Trainer:
    """`run` trains one stage in `folder` and leaves the averaged weights in `folder/ema.safetensors`.

    `objective` takes the place of the denoising losses, and `stage` of the configuration's. `sheet(model,
    path)` draws samples of the averaged model at every save and returns them as a video (F, H, W, 3) uint8;
    `board` shows figures and samples in TensorBoard.
    """

    def __init__(
        self,
        model: EMO,
        source: BatchSource,
        config: TrainConfig,
        folder: Path,
        log: Callable[[str], None] = print,
        sheet: Sheet | None = None,
        board: Board | None = None,
        objective: Objective | None = None,
        stage: Stage | None = None,
    ):
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs
        from diffusers.training_utils import EMAModel

        self.accelerator = Accelerator(
            mixed_precision=config.mixed_precision,
            cpu=not torch.cuda.is_available(),
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.config, self.source, self.folder, self.log = config, source, folder, log
        self.sheet, self.board = sheet, board
        self.stage, self.emo = stage or config.table, model
        if config.recompute:
            model.backbone.recompute_layers()
            model.reference_net.recompute_layers()
        self.objective = objective or Denoising(model.config, self.stage, config.loss)
        self.gradients: Callable[[Noised], dict[str, Tensor]] = self.compute_gradients
        self.forward: Callable[[Noised], Any] = self.run_forward
        if config.graph:
            self.gradients, self.forward = Graphed(self.gradients), Graphed(self.forward)
        self.named = select_parameters(model, self.stage)
        parameters = [p for _, p in self.named]
        optimizer = build_optimizer(self.named, config)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.progress, self.ema = TrainProgress(), None
        self.lr_schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate(step))
        self.accelerator.register_for_checkpointing(self.progress, self.lr_schedule)
        if config.ema is not None:
            self.ema = EMAModel(parameters, decay=config.ema, use_ema_warmup=True, power=0.75, foreach=True)
            self.ema.to(self.accelerator.device)
            self.accelerator.register_for_checkpointing(self.ema)
        self.alphas = alphas_cumprod(model.config.schedule)

    def rate(self, step: int) -> float:
        """The learning rate's share: it rises in `warmup` steps, then falls as a cosine to nothing."""
        warmup, steps = self.config.warmup, self.config.steps
        if step < warmup:
            return step / max(1, warmup)
        return 0.5 * (1 + math.cos(math.pi * max(self.passed(), (step - warmup) / max(1, steps - warmup))))

    def passed(self) -> float:
        """The share of the stage's clock, 0..1."""
        clock = self.config.clock
        return 0.0 if clock is None else min(1.0, self.progress.seconds / (60 * clock))

    def run(self) -> TrainProgress:
        """Trains to the last step, or until the time is up; goes on from `folder/state` if it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if (saved := find_state(self.folder)) is not None:
            self.accelerator.load_state(str(saved))
            if self.ema is not None:
                self.ema.to(self.accelerator.device)  # accelerate leaves it on the CPU
        if self.accelerator.is_main_process:
            keep_until(self.folder / "log.jsonl", self.progress.step)
        start, first, before = time.monotonic(), self.progress.step, self.progress.seconds
        self.model.train()
        batches, recent = self.source.stream(self.microbatches()), list[dict[str, Tensor]]()
        while self.progress.step < self.config.steps and self.passed() < 1:
            recent.append(self.step(batches))
            self.progress.step += 1
            spent = time.monotonic() - start
            self.progress.seconds = before + spent
            if self.progress.step % self.config.log_every == 0:
                self.progress.update(recent)
                self.report(spent / (self.progress.step - first))
            if self.progress.step % self.config.save_every == 0:
                self.progress.update(recent)
                self.save()
            if self.config.minutes is not None and spent > self.config.minutes * 60:
                break
        self.progress.update(recent)
        self.save()
        return self.progress

    def microbatches(self) -> list[int]:
        """The numbers of those that this process trains on, from here to the last step."""
        processes, own = self.accelerator.num_processes, self.accelerator.process_index
        first, last = (step * self.config.accumulate for step in (self.progress.step, self.config.steps))
        return [turn * processes + own for turn in range(first, last)]

    def step(self, batches: Iterator[Drawn]) -> dict[str, Tensor]:
        """One update; returns the losses' means over all microbatches of all processes."""
        totals: dict[str, Tensor] = {}
        if not self.config.graph:  # whose gradients are overwritten
            self.optimizer.zero_grad()
        for turn in range(self.config.accumulate):
            apart = turn < self.config.accumulate - 1
            with self.accelerator.no_sync(self.model) if apart else nullcontext():
                noised = self.objective.prepare(self.forward, self.add_noise(*next(batches)))
                losses = self.gradients(noised)
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0) + loss
        self.accelerator.clip_grad_norm_([p for _, p in self.named], 1.0)
        self.optimizer.step()
        self.lr_schedule.step()
        if self.ema is not None:
            self.ema.step([p for _, p in self.named])
        means = torch.stack(list(totals.values())) / self.config.accumulate
        return dict(zip(totals, self.accelerator.reduce(means, "mean").unbind(), strict=True))

    def compute_gradients(self, noised: Noised) -> dict[str, Tensor]:
        """Adds to the gradients; returns the losses."""
        if self.config.graph:
            self.optimizer.zero_grad()
        losses = self.objective.losses(self.model, noised)
        self.accelerator.backward(sum(losses.values()) / self.config.accumulate)
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def run_forward(self, noised: Noised) -> Any:
        return self.objective.forward(self.model, noised)

    def add_noise(self, batch: Batch, generator: torch.Generator) -> Noised:
        schedule = self.emo.config.schedule
        noised = add_training_noise(batch, schedule, self.alphas, self.config.loss, generator)
        return noised.to(self.accelerator.device)

    def report(self, seconds: float) -> None:
        line = {
            "step": self.progress.step,
            "seconds": round(seconds, 3),
            "memory_gb": round(peak_memory(self.accelerator.device) / 1e9, 2),
            "lr": self.lr_schedule.get_last_lr()[0],
            **{name: round(value, 4) for name, value in self.progress.running.items()},
        }
        if self.accelerator.is_main_process:
            self.log(f"{self.config.stage} {json.dumps(line)}")
            path = self.folder / "log.jsonl"
            with write_errors(path), path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            if self.board is not None:
                self.board.figures(line)

    def save(self) -> None:
        """State, samples and averaged weights; a kill while saving leaves the previous ones usable.

        Raises WriteError, as when the disk is full.
        """
        with new_state(self.folder) as partial:
            self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            replace_state(self.folder)
            if self.sheet is not None:
                self.draw_sheet(self.sheet)
            self.save_weights()
        self.accelerator.wait_for_everyone()

    def save_weights(self) -> None:
        """The averaged weights, or the last ones where no average is kept."""
        weights = {name: p.detach() for name, p in self.emo.named_parameters()}
        if self.ema is not None:
            averaged = zip(self.named, self.ema.shadow_params, strict=True)
            weights |= {name: value for (name, _), value in averaged}
        weights = {name: value.contiguous().cpu() for name, value in weights.items()}
        with whole_file(self.folder / "ema.safetensors") as partial:
            save_file(weights, partial)

    def draw_sheet(self, sheet: Sheet) -> None:
        with self.with_average():
            video = sheet(self.emo, self.folder / f"samples-{self.progress.step:06d}.png")
        if self.board is not None:
            self.board.video(self.progress.step, video, self.emo.config.fps)
        self.model.train()

    @contextmanager
    def with_average(self) -> Iterator[None]:
        """The model with the averaged weights, if an average is kept."""
        parameters = [p for _, p in self.named]
        if self.ema is not None:
            self.ema.store(parameters)
            self.ema.copy_to(parameters)
        yield
        if self.ema is not None:
            self.ema.restore(parameters)


def load_parameters(model: EMO, path: Path) -> None:
    """Weights that a stage left behind (`ema.safetensors`). Raises ValueError when they do not fit."""
    load_strict(model, read_weights(path, "the weights that a stage of the training left"), str(path))
