"""One training loop for every stage and size, on `accelerate`: one CPU, one GPU or many."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from emo_modules.models.emo import EMO
from emo_modules.schedule import alphas_cumprod
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict

from .average import averaged, take_in
from .batch_sources import BatchSource, Drawn
from .graphs import Graphed
from .guard import Guard, not_finite, patience_in, spoilt_microbatches
from .logs import Board, RunLog, peak_memory
from .lora import check_goes_on
from .losses import Noised, add_training_noise
from .objective import Denoising, Objective
from .optimizers import build_optimizer
from .pace import Pace
from .progress import TrainProgress
from .relatives import learned_schedule
from .sample_set import Batch
from .stages import Stage, stage_of
from .state import find_state, keep_state, new_state, state_of
from .student import Distilling
from .train_config import TrainConfig
from .trained import keep_only_trained, save_average, trained_parameters

Sheet = Callable[[EMO, Path], Tensor]
Validation = Callable[[EMO], dict[str, float]]


class Trainer:
    """`run` trains one stage in `folder` and leaves the averaged weights there (`state.saved_weights`); of a
    LoRA (`lora.saved_lora`) with `notes`, such as the licence.

    `objective` takes the place of the denoising losses, and `stage` of the configuration's. At every save
    `sheet(model, path)` draws samples of the averaged model and returns them as a video (F, H, W, 3) uint8,
    and `validation(model)` tells its losses; `board` shows figures and samples in TensorBoard.
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
        validation: Validation | None = None,
        notes: dict[str, str] | None = None,
    ):
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs

        self.accelerator = Accelerator(
            mixed_precision=config.mixed_precision,
            cpu=not torch.cuda.is_available(),
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.config, self.source, self.folder = config, source, folder
        self.log, self.sheet, self.validation = RunLog(folder, config.stage, log, board), sheet, validation
        self.stage, self.emo = stage or stage_of(model.config, config.stage, config.demo), model
        if config.recompute:
            model.backbone.recompute_layers()
            model.reference_net.recompute_layers()
        updates_see = config.sampling.batch * config.accumulate * self.accelerator.num_processes
        self.progress = TrainProgress(updates_see)
        self.pace = Pace(config, self.progress)
        self.objective = objective or self.configured_objective()
        self.gradients: Callable[[Noised], dict[str, Tensor]] = self.compute_gradients
        self.forward: Callable[[Noised], Any] = self.run_forward
        if config.graph:
            self.gradients, self.forward = Graphed(self.gradients), Graphed(self.forward)
        self.named, self.notes = trained_parameters(model, self.stage, config), notes or {}
        parameters = [p for _, p in self.named]
        if config.compile:
            model.backbone.compile()
            model.reference_net.compile()
        optimizer = build_optimizer(self.named, config)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.guard = Guard(patience_in(config.mixed_precision))
        self.ema = None
        self.lr_schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.pace.rate(step))
        self.accelerator.register_for_checkpointing(self.progress, self.lr_schedule)
        if config.ema is not None:
            from diffusers.training_utils import EMAModel

            self.ema = EMAModel(parameters, decay=config.ema, use_ema_warmup=True, power=0.75, foreach=True)
            self.ema.to(self.ema_device)
            self.accelerator.register_for_checkpointing(self.ema)
        if config.lora is not None:
            keep_only_trained(self.accelerator, self.named)
        self.alphas = alphas_cumprod(learned_schedule(model.config))

    def configured_objective(self) -> Objective:
        config, model = self.config, self.emo
        if config.distill is None:
            return Denoising(model.config, self.stage, config.loss)
        return Distilling(model.config, config.loss, config.distill, model, self.progress)

    @property
    def ema_device(self) -> torch.device:
        return torch.device("cpu") if self.config.ema_on_cpu else self.accelerator.device

    def run(self) -> TrainProgress:
        """Trains to the last step, or until the time is up; goes on from the newest state in `folder`.

        Raises ValueError when one update after the other was left out because it was not finite.
        """
        self.resume()
        progress, config = self.progress, self.config
        start, first, before = time.monotonic(), progress.step, progress.seconds
        self.model.train()
        batches = self.source.stream(self.microbatches())
        while progress.step < config.steps and self.pace.passed < 1:
            self.step(batches)
            spent = time.monotonic() - start
            progress.seconds = before + spent
            if progress.step % config.log_every == 0:
                self.report(spent / (progress.step - first))
            if progress.step % config.save_every == 0:
                self.save()
            if config.minutes is not None and spent > config.minutes * 60:
                break
        if not state_of(self.folder, progress.step).exists():
            self.save()
        return progress

    def resume(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        check_goes_on(self.folder, self.named, self.emo.config, self.config)
        if (saved := find_state(self.folder)) is not None:
            self.accelerator.load_state(str(saved))
            if self.ema is not None:
                self.ema.to(self.ema_device)  # accelerate leaves it on the CPU
        if self.accelerator.is_main_process:
            self.log.resume(self.progress.step)

    @property
    def next_microbatch(self) -> int:
        """The lowest number of those that no process has seen. With another batch than before, the clips of
        a part of one are seen again rather than left out."""
        return self.progress.clips // self.config.sampling.batch

    def microbatches(self) -> list[int]:
        """The numbers of those that this process trains on, from here to the last step."""
        processes, first = self.accelerator.num_processes, self.next_microbatch
        turns = (self.config.steps - self.progress.step) * self.config.accumulate
        return [first + turn * processes + self.accelerator.process_index for turn in range(turns)]

    def step(self, batches: Iterator[Drawn]) -> dict[str, float]:
        """One step; returns the losses' means over all microbatches of all processes, and the gradient's norm
        before it is clipped. Unless all of them are finite, nothing is updated.

        Reading them is the only wait for the device in a step. A decision that stayed there would have to be
        understood by every optimizer, the average and fp16's scale; this one costs what it takes to launch
        the optimizer, and while that works, the next batch is prepared.
        """
        if not self.config.graph:  # whose gradients are overwritten
            self.optimizer.zero_grad()
        rows = [self.microbatch(batches, turn) for turn in range(self.config.accumulate)]
        norm = self.accelerator.clip_grad_norm_([p for _, p in self.named], 1.0)
        losses = torch.stack([torch.stack(list(row.values())) for row in rows])  # (accumulate, kinds)
        means = self.accelerator.reduce(losses.mean(0), "mean")
        values = torch.cat([means, norm.to(means).reshape(1)]).tolist()
        figures = dict(zip([*rows[0], "grad_norm"], values, strict=True))
        if made := self.guard.allows(figures):
            self.update()
        else:
            self.leave_out(losses.sum(1), figures)
        self.lr_schedule.step()
        self.progress.advance(figures if made else None)
        return figures

    def microbatch(self, batches: Iterator[Drawn], turn: int) -> dict[str, Tensor]:
        """Adds to the gradients, which the last turn brings together from all processes; returns losses."""
        apart = turn < self.config.accumulate - 1
        with self.accelerator.no_sync(self.model) if apart else nullcontext():
            batch, generator = next(batches)
            noised = self.objective.prepare(self.forward, self.add_noise(batch, generator), generator)
            return self.gradients(noised)

    def update(self) -> None:
        self.optimizer.step()
        if self.ema is not None:
            take_in(self.ema, self.named, self.ema_device)

    def leave_out(self, losses: Tensor, figures: dict[str, float]) -> None:
        """Tells whose losses, (accumulate,) of this process, are not finite. Raises ValueError when too many
        updates in a row were left out."""
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.update()  # to a smaller scale, if it was that
        finite = self.accelerator.gather(losses).isfinite().tolist()
        spoilt = spoilt_microbatches(finite, self.next_microbatch, self.accelerator.num_processes)
        reason, step = not_finite(figures), self.progress.step + 1
        if self.accelerator.is_main_process:
            samples = [name for number in spoilt for name in self.source.names(number)]
            self.log.skipped(step, reason, samples)
        if self.guard.exhausted:
            raise ValueError(
                f"{self.guard.in_a_row} updates in a row were left out, the last in step {step}: {reason}; "
                f"{self.kept()}. Look at the samples that {self.log.skipped_file} names, or lower lr"
            )

    def kept(self) -> str:
        state = find_state(self.folder)
        return f"{state} is as it was" if state else "no state was saved yet"

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
        """Logs the figures, of steps that take so long."""
        progress = self.progress
        line = {
            "step": progress.step,
            "seconds": round(seconds, 3),
            "clips_per_second": round(progress.per_update / seconds, 2),
            "hours_left": round(self.pace.seconds_left(seconds) / 3600, 2),
            "memory_gb": round(peak_memory(self.accelerator.device) / 1e9, 2),
            "lr": float(self.lr_schedule.get_last_lr()[0]),
            "skipped": progress.skipped,
            **{name: round(value, 4) for name, value in progress.running.items()},
        }
        if self.accelerator.is_main_process:
            self.log.figures(line)

    def save(self) -> None:
        """Losses of the averaged model, the state with its weights, then samples; a kill while saving leaves
        the states before usable.

        Losses come first: a run that is killed behind them goes on before them, and logs them once.

        Raises WriteError, as when the disk is full, and ValueError rather than save what is not finite.
        """
        self.check_weights()
        if self.accelerator.is_main_process and self.validation is not None:
            self.validate(self.validation)
        with new_state(self.folder) as partial:
            self.accelerator.save_state(str(partial))
            if self.accelerator.is_main_process:
                save_average(partial, self.emo, self.named, self.ema, self.config, self.notes)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            keep_state(self.folder, self.progress.step, self.config.keep_last)
            if self.sheet is not None:
                self.draw_sheet(self.sheet)
        self.accelerator.wait_for_everyone()

    def check_weights(self) -> None:
        """No good state goes for one that cannot be trained further."""
        weights: list[Tensor] = [p.detach() for _, p in self.named]
        average: list[Tensor] = self.ema.shadow_params if self.ema is not None else []
        if not (get_total_norm(weights).isfinite() and get_total_norm(average).isfinite()):
            raise ValueError(
                f"weights are not finite after step {self.progress.step}, and are not saved; {self.kept()}. "
                "Train with a lower lr"
            )

    def validate(self, validation: Validation) -> None:
        with averaged(self.named, self.ema):
            losses = {name: round(loss, 4) for name, loss in validation(self.emo).items()}
        self.model.train()
        self.log.figures({"step": self.progress.step, **losses})

    def draw_sheet(self, sheet: Sheet) -> None:
        step = self.progress.step
        with averaged(self.named, self.ema):
            video = sheet(self.emo, self.folder / f"samples-{step:06d}.png")
        self.model.train()
        self.log.video(step, video, self.emo.config.fps)


def load_parameters(model: EMO, path: Path) -> None:
    """Weights that a stage left behind (`state.saved_weights`). Raises ValueError when they do not fit."""
    load_strict(model, read_weights(path, "the weights that a stage of the training left"), str(path))
