"""The built-in model from clips of rendered people: stages that share the time there is, and a checkpoint."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.config import EMOConfig
from emo_modules.models.attention import Attention
from emo_modules.models.conditions import KeptConditions
from emo_modules.models.emo import EMO
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.models.precision import fast_autocast
from emo_modules.sampling.noise import clip_noise
from emo_modules.sampling.solver import Solver
from emo_modules.schedule import alphas_cumprod
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_training.training.features import distance
from emo_training.training.loop import Trainer, load_parameters
from emo_training.training.losses import LossConfig
from emo_training.training.sample_set import Draw
from emo_training.training.sheets import signed_to_bytes
from emo_training.training.stages import PAINTER, Stage, start_as_lookup
from emo_training.training.state import saved_weights
from emo_training.training.train_config import TrainConfig

from ..filming.clips import SIDE
from ..networks.fit import Log, channels_last
from .clip_set import ClipSet, ClipSource, MovingBatch
from .config import BUILT_IN
from .objective import MovingLoss, MovingObjective, points_error

MAX_BYTES = 16 * 2**20 - 1
NOTES = {
    "license": "Apache-2.0",
    "data": "rendered people, flite and espeak-ng speech; see docs/demo-model.md",
}
ENDLESS = 1_000_000  # steps: the clock ends the stages
AUDIO_GAIN = 1.4  # of what audio-attention adds: a squared error makes lips move less than they should


@dataclass(frozen=True)
class StagePlan:
    """One stage: its share of the time, and how it trains."""

    name: str
    share: float
    config: TrainConfig
    loss: MovingLoss
    trains: tuple[str, ...] | None = None  # parts, where not those that the configuration's stage trains

    @property
    def table(self) -> Stage:
        table = self.config.table
        return table if self.trains is None else replace(table, trains=self.trains)


@dataclass(frozen=True)
class BuiltInRecipe:
    """Batches and learning rates are those of a data-centre GPU; see `recipe_for`."""

    config: EMOConfig = BUILT_IN
    stages: tuple[StagePlan, ...] = (
        StagePlan(
            "image",
            0.2,
            TrainConfig(
                "image",
                steps=ENDLESS,
                demo=True,
                lr=1e-3,
                warmup=50,
                sampling=Draw(batch=64, frames=6, motion_frames=0, drop_audio=0),
                loss=LossConfig(inference_share=0.5, inference_steps=1),
            ),
            MovingLoss(),
        ),
        StagePlan(
            "video",
            0.4,
            TrainConfig(
                "video",
                steps=ENDLESS,
                demo=True,
                lr=6e-4,
                fresh_rate=1.5,
                warmup=50,
                sampling=Draw(batch=24, drop_audio=0.03),
                loss=LossConfig(inference_share=0.9, inference_steps=1, motion_noise=0.1),
            ),
            MovingLoss(),
        ),
        StagePlan(
            "speed",
            0.25,
            TrainConfig(
                "speed",
                steps=ENDLESS,
                demo=True,
                lr=3e-4,
                fresh_rate=1.5,
                warmup=30,
                sampling=Draw(batch=24, drop_audio=0.03),
                loss=LossConfig(inference_share=0.9, inference_steps=1, motion_noise=0.1),
            ),
            MovingLoss(own_motion=0.25, pixels=3.0),
        ),
        # With all else at rest: the critic would teach a Backbone that still moves to please it.
        StagePlan(
            PAINTER,
            0.15,
            TrainConfig(
                "speed",
                steps=ENDLESS,
                demo=True,
                lr=1e-3,
                warmup=30,
                sampling=Draw(batch=48, drop_audio=0.03),
                loss=LossConfig(inference_share=0.9, inference_steps=1, motion_noise=0.1),
            ),
            MovingLoss(pixels=4.0, critic=0.03),
            (PAINTER,),
        ),
    )


def recipe_for(device: torch.device, stages: Collection[str] | None = None) -> BuiltInRecipe:
    """Two cores take smaller batches and slower steps in the same time; a GPU repeats what was captured."""
    whole = BuiltInRecipe()
    recipe = replace(
        whole, stages=tuple(plan for plan in whole.stages if stages is None or plan.name in stages)
    )
    if device.type == "cuda":
        return replace(recipe, stages=tuple(_changed(plan, graph=True) for plan in recipe.stages))
    small = {"image": Draw(8, 3, motion_frames=0, drop_audio=0), "video": Draw(4, drop_audio=0.03)}
    return replace(
        recipe,
        stages=tuple(
            _changed(plan, lr=plan.config.lr / 2, sampling=small.get(plan.name, small["video"]))
            for plan in recipe.stages
        ),
    )


def _changed(plan: StagePlan, **fields: object) -> StagePlan:
    return replace(plan, config=replace(plan.config, **fields))  # type: ignore[arg-type]


def build_model(config: EMOConfig, components: dict[str, Tensor]) -> EMO:
    """A new model whose portrait encoder is the VAE's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EMO(config)
        start_as_lookup(model)
    encoder = {name: components[f"patch_in.{name}"] for name in ("weight", "bias")}
    model.portrait_encoder.load_state_dict(encoder)
    return channels_last(model)


@dataclass(frozen=True)
class BuiltInTraining:
    """What the stages work on."""

    folder: Path
    clips: ClipSet
    held_out: ClipSet
    vae: PatchVAE
    model: EMO
    log: Log = print

    def run(self, recipe: BuiltInRecipe, minutes: float) -> None:
        """Each stage starts from the averaged weights of the one before."""
        shares = sum(stage.share for stage in recipe.stages)
        for stage in recipe.stages:
            self.run_stage(stage, minutes * stage.share / shares)

    def run_stage(self, plan: StagePlan, minutes: float) -> None:
        stage, config = replace(plan.config, clock=minutes), self.model.config
        table, folder = plan.table, self.folder / plan.name
        objective = MovingObjective(config, plan.loss, table.clips, table.speed, self.decode)
        source = ClipSource(self.clips, self.model.portrait_encoder, stage.sampling, stage.seed)
        Trainer(self.model, source, stage, folder, log=self.log, objective=objective, stage=table).run()
        load_parameters(self.model, saved_weights(folder))
        self.model.eval()
        self.log(f"{plan.name}: {len(self.clips)} clips; held out {self.figures(table.clips, table.speed)}")
        if table.clips:
            self.sheet(folder / "sheet.jpg", table.speed)
        self.model.train()

    def decode(self, latents: Tensor) -> Tensor:
        with fast_autocast(latents.device):
            pictures: Tensor = self.vae.decode(latents)
        return pictures.float()

    def held_out_batch(self, clips: bool, most: int) -> MovingBatch:
        rows = torch.arange(min(most, len(self.held_out)), device=self.clips.device)
        draw = Draw(len(rows), drop_audio=0, whole_region=0)
        if not clips:
            draw = replace(draw, motion_frames=0, frames=6)
        generator = torch.Generator(self.clips.device).manual_seed(7)
        return self.held_out.draw(draw, self.model.portrait_encoder, generator, rows)

    @torch.no_grad()
    def figures(self, clips: bool, speed: bool) -> dict[str, float]:
        """Displacements' mean error in px at three levels of noise, and with the portrait shown, that of lips
        and lids against the nose, and the latents' mean squared error."""
        batch, config = self.held_out_batch(clips, 16), self.model.config
        true, landmarks = batch.displacement.flatten(0, 1), batch.landmarks.flatten(0, 1)

        def tell(name: str, error: Tensor) -> None:
            found[name] = float(distance(error, 0.01).mean())
            lids, lips = points_error(error, landmarks).split([12, 20], dim=2)
            found[f"{name} lids"], found[f"{name} lips"] = (
                float(distance(p, 0.01).mean()) for p in (lids, lips)
            )

        found = dict[str, float]()
        tell("shown", true * SIDE)
        alphas = alphas_cumprod(config.schedule).float().to(self.clips.device)
        for step in (999, 499, 100):
            generator = torch.Generator(self.clips.device).manual_seed(8)
            noise = clip_noise(batch.latents.shape, config.schedule.shared_noise, generator)
            level = alphas[step]
            noisy = level.sqrt() * batch.latents + (1 - level).sqrt() * noise
            steps = torch.full(noisy.shape[:2], step, device=noise.device)
            with fast_autocast(noise.device):
                drawing = self.model(noisy, steps, **batch.conditions(clips, speed))
            tell(str(step), (drawing.displacement.float() - true) * SIDE)
            error = (drawing.clean.float() - batch.latents.flatten(0, 1)).square().mean()
            found[f"{step} latents"] = float(error)
        return {name: round(value, 3) for name, value in found.items()}

    @torch.no_grad()
    def sheet(self, path: Path, speed: bool, rows: int = 8) -> None:
        """Two lines a clip: portrait and true frames, portrait and what the model makes of its sound."""
        batch, config = self.held_out_batch(True, rows), self.model.config
        kept = KeptConditions(batch.reference_kept, batch.audio_kept, batch.motion_kept)
        conditioner = self.model.conditioner(kept)
        video = conditioner.video(batch.reference, batch.mask, pixels=batch.pixels)
        speeds = batch.speeds if speed else None
        conditions = conditioner.clip(
            video, config.clip_frames, batch.audio, speeds, code=batch.code, motion=batch.motion
        )
        generator = torch.Generator(self.clips.device).manual_seed(9)
        noise = clip_noise(batch.latents.shape, config.schedule.shared_noise, generator).flatten(0, 1)
        made = Solver(self.model, steps=config.schedule.steps, cfg=1.0)(noise, conditions)
        made = self.decode(made).unflatten(0, batch.latents.shape[:2])
        lines = torch.stack([batch.pictures, made], dim=1)[:, :, ::2]
        portraits = batch.pixels[:, None, None].expand(-1, 2, -1, -1, -1, -1)
        grid = signed_to_bytes(torch.cat([portraits, lines], dim=2)).flatten(0, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate([np.hstack(list(row)) for row in grid.numpy()])).save(path, quality=88)


@torch.no_grad()
def amplify_hearing(model: EMO, gain: float = AUDIO_GAIN) -> None:
    """What audio-attention adds to the Backbone's features, times `gain`."""
    for module in model.backbone.modules():
        attention = getattr(module, "attn_audio", None)
        if isinstance(attention, Attention):
            for parameter in attention.to_out.parameters():
                parameter.mul_(gain)


def export(path: Path, model: EMO, vae: PatchVAE, encoder: AudioEncoder) -> list[Path]:
    """One checkpoint in half precision, in pieces small enough for git."""
    parts: dict[str, nn.Module] = dict(model.named_children()) | {"vae": vae, "audio_encoder": encoder}
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_checkpoint(path, model.config, parts, NOTES, torch.float16, MAX_BYTES)


def load_audio_encoder(config: EMOConfig, path: Path) -> AudioEncoder:
    encoder = AudioEncoder(config.audio.encoder, config.audio.normalize)
    load_strict(encoder, read_weights(path, "the audio encoder"), str(path))
    return encoder.eval()
