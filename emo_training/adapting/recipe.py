"""How one person is learned from minutes of footage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from emo_modules.checked import Checked, Range, Share
from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig

from ..training.filmed_objective import FilmedLoss, FilmedObjective
from ..training.losses import LossConfig
from ..training.objective import Denoising, Objective
from ..training.relatives import relative_of
from ..training.sample_set import Draw
from ..training.stages import PAINTER, Stage, stage_of
from ..training.train_config import TrainConfig

# How lips follow the voice, and how a mouth looks where the portrait does not show it. With LoRA beside the
# Backbone's own layers, at 1e-3, all of a face had moved by 2 px and more in some clips after ten updates.
MOVING = Stage(("audio", "audio_projection", PAINTER), clips=True, speed=True)


@dataclass(frozen=True)
class Adaptation(Checked):
    """What a user may ask for; where nothing is given, what suits the model."""

    steps: Annotated[int | None, "updates; default: 300 of the built-in model, 2000 of others"] = None
    lora: Annotated[int, Range(1, 4096), "rank of the LoRA; default: 16"] = 16
    lr: Annotated[float | None, "default: 4e-4 of the built-in model, 1e-4 of others"] = None
    own_motion: Annotated[Share, "share of training on motion frames of the model's own; default: 0"] = 0.0
    seed: Annotated[int, "of the LoRA, of the order of samples and of noise"] = 0
    minutes: Annotated[float | None, "stop, resumable, after this much wall clock of training"] = None

    def impossible(self) -> Iterator[str]:
        if self.steps is not None and self.steps < 1:
            yield f"steps are at least 1, got {self.steps}"
        if self.lr is not None and self.lr <= 0:
            yield f"lr is above 0, got {self.lr:g}"


@dataclass(frozen=True)
class Recipe:
    """A training's settings, and which parts its LoRA is beside."""

    train: TrainConfig
    stage: Stage
    loss: FilmedLoss

    def objective(self, config: EMOConfig, vae: VAE) -> Objective:
        if config.moving:
            return FilmedObjective(config, self.stage, self.loss, vae)
        return Denoising(config, self.stage, self.train.loss)


def recipe_for(config: EMOConfig, asked: Adaptation, half: bool) -> Recipe:
    """`half`: on a device that is fast in half precision, where frozen weights are stored in it too."""
    return _moving(config, asked) if config.moving else _denoising(config, asked, half)


def _moving(config: EMOConfig, asked: Adaptation) -> Recipe:
    draw = Draw(
        1, config.clip_frames, config.motion_frames, first_clip=0.05, drop_reference=0, drop_audio=0,
        drop_both=0, portrait_share=0.5, successive=True,
    )  # fmt: skip
    train = TrainConfig(
        "video",
        steps=asked.steps or 300,
        lr=asked.lr or 4e-4,
        warmup=10,
        sampling=draw,
        loss=LossConfig(inference_share=0.9, inference_steps=1, motion_noise=0.1),
        ema=0.98,
        lora=asked.lora,
        lora_layers="all",
        seed=asked.seed,
        minutes=asked.minutes,
        save_every=25,
        log_every=5,
    )
    return Recipe(train, MOVING, FilmedLoss(own_motion=asked.own_motion))


def _denoising(config: EMOConfig, asked: Adaptation, half: bool) -> Recipe:
    """As configs/lora.yaml."""
    name: Literal["whole", "video"] = "whole" if relative_of(config) else "video"
    draw = Draw(
        1, config.clip_frames, config.motion_frames, first_clip=0.05, drop_audio=0.05, portrait_share=0.5,
        successive=True,
    )  # fmt: skip
    train = TrainConfig(
        name,
        steps=asked.steps or 2000,
        lr=asked.lr or 1e-4,
        warmup=50,
        sampling=draw,
        loss=LossConfig(min_snr=5.0, motion_noise=0.1, motion_patch_drop=0.25, own_motion=asked.own_motion),
        recompute=True,
        ema_on_cpu=True,
        lora=asked.lora,
        lora_parts="all",
        frozen="bf16" if half else "fp32",
        seed=asked.seed,
        minutes=asked.minutes,
    )
    return Recipe(train, stage_of(config, name), FilmedLoss())
