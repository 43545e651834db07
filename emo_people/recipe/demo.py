"""The demo model from nothing, in one resumable recipe. What it was trained with is what stands here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.checkpoints.vae import VAE, build_vae
from emo_modules.config import EMOConfig
from emo_modules.media.image import to_signed
from emo_modules.models.emo import EMO
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_training.training.batch_sources import MemorySource
from emo_training.training.loop import TrainConfig, Trainer, load_parameters, validation_loss
from emo_training.training.losses import LossConfig
from emo_training.training.sample_set import Draw, SampleSet, draw_batch
from emo_training.training.sheets import sheet_draw, sheet_drawer
from emo_training.training.stages import start_as_lookup

from ..filming.samples import Sample, draw_samples, make_sample, read_samples
from ..filming.seeds import HELD_OUT
from ..networks.fit import Log, channels_last
from .audio_encoder import AudioTraining, train_audio_encoder
from .config import DEMO
from .encode import encode_samples
from .mouth_reader import train_mouth_reader
from .vae import VAETraining, to_vae_frames, train_vae

MAX_BYTES = 16 * 2**20 - 1
SHOWN = 4  # held-out samples on a sheet
NOTES = {"license": "Apache-2.0", "data": "drawn avatars, flite and espeak-ng speech; see docs/demo-model.md"}
_DRAW = Draw(batch=4, drop_audio=0.05, drop_reference=0.03, drop_both=0.0)
_IMAGE_LOSS = LossConfig(clean_error=True, inference_share=0.5, mouth_weight=2.0)
_VIDEO_LOSS = LossConfig(
    clean_error=True, inference_share=0.7, mouth_weight=2.0, reader_weight=2.0, motion_noise=0.15
)
_SPEED_LOSS = replace(
    _VIDEO_LOSS, inference_share=0.8, inference_steps=2, mouth_weight=0.0, reader_weight=0.5
)


@dataclass(frozen=True)
class DemoRecipe:
    """What the built-in model was made with: under two hours on two slow cores."""

    samples: int = 2000
    held_out: int = 64
    config: EMOConfig = DEMO
    vae: VAETraining = VAETraining(minutes=9.0)
    audio: AudioTraining = AudioTraining(minutes=5.0)
    reader_steps: int = 500
    stages: tuple[TrainConfig, ...] = (
        TrainConfig(
            "image",
            steps=350,
            demo=True,
            lr=1.5e-3,
            warmup=60,
            ema=0.998,
            sampling=Draw(batch=12, frames=4, motion_frames=0, portrait_share=1.0, drop_both=0.0),
            loss=_IMAGE_LOSS,
        ),
        TrainConfig(
            "video",
            steps=1500,
            demo=True,
            lr=5e-4,
            fresh_rate=3.0,
            warmup=60,
            ema=0.998,
            sampling=_DRAW,
            loss=_VIDEO_LOSS,
        ),
        TrainConfig(
            "speed",
            steps=700,
            demo=True,
            lr=1e-3,
            fresh_rate=3.0,
            warmup=30,
            ema=0.995,
            sampling=_DRAW,
            loss=_SPEED_LOSS,
        ),
    )


def make_demo(folder: Path, recipe: DemoRecipe, log: Log = print) -> list[Path]:
    """Data, VAE, audio encoder, three stages, checkpoint. Every finished part is kept and not made again."""
    draw_samples(folder / "samples", range(recipe.samples))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        train_parts(folder, recipe, log)
    model = train_stages(folder, recipe, *encode_sets(folder, recipe), log)
    return export(folder, folder / "checkpoint" / "emo-demo.safetensors", model)


def train_parts(folder: Path, recipe: DemoRecipe, log: Log) -> None:
    unseen = [make_sample(HELD_OUT + k, frames=2, portraits=1) for k in range(min(24, recipe.held_out))]
    if not (file := folder / "vae.safetensors").exists():
        vae = channels_last(PatchVAE(recipe.config.latent_channels))
        frames = to_vae_frames(read_samples(folder / "samples"))
        vae.start_from_components(to_signed(frames[::10]))
        held_out = torch.from_numpy(np.stack([sample.frames[0] for sample in unseen]))
        train_vae(vae, frames, held_out, file, recipe.vae, log)
    if not (file := folder / "audio_encoder.safetensors").exists():
        sounds = list(read_sounds(folder))
        train_audio_encoder(recipe.config.audio, sounds, unseen, file, recipe.audio, log)


def read_sounds(folder: Path) -> Iterator[Sample]:
    """Samples without their pictures, which would not fit in memory."""
    for sample in read_samples(folder / "samples"):
        empty = sample.frames[:0].copy()
        yield replace(sample, frames=empty, portraits=empty)


def load_frozen(folder: Path, config: EMOConfig) -> tuple[VAE, AudioEncoder]:
    vae, encoder = build_vae(config), AudioEncoder(config.audio.encoder, config.audio.normalize)
    for name, part in (("vae", vae), ("audio_encoder", encoder)):
        file = folder / f"{name}.safetensors"
        load_strict(part, read_weights(file, f"the {name} that an earlier step trained"), str(file))
    return vae.eval(), encoder.eval()


def encode_sets(folder: Path, recipe: DemoRecipe) -> tuple[SampleSet, SampleSet]:
    """The training set and the held-out set, encoded once."""
    for name in ("held", "set"):
        if not (folder / f"{name}.safetensors").exists():
            parts = load_frozen(folder, recipe.config)
            unseen = (make_sample(HELD_OUT + k) for k in range(recipe.held_out))
            samples = read_samples(folder / "samples") if name == "set" else unseen
            encode_samples(samples, recipe.config, *parts).save(folder / f"{name}.safetensors")
    return SampleSet.load(folder / "set.safetensors"), SampleSet.load(folder / "held.safetensors")


def train_stages(folder: Path, recipe: DemoRecipe, samples: SampleSet, held_out: SampleSet, log: Log) -> EMO:
    """Each stage starts from the averaged weights of the one before."""
    config = recipe.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EMO(config)
        start_as_lookup(model)
        reader = train_mouth_reader(samples, recipe.reader_steps, log)
    model, vae = channels_last(model), load_frozen(folder, config)[0]
    for stage in recipe.stages:
        shown = draw_batch(held_out, config, sheet_draw(config, SHOWN), torch.Generator().manual_seed(7))
        sheet = sheet_drawer(vae, shown, stage.table.speed) if stage.table.clips else None
        source = MemorySource(samples, config, stage.sampling, stage.seed)
        Trainer(model, source, stage, folder / stage.stage, reader, log, sheet).run()
        load_parameters(model, folder / stage.stage / "ema.safetensors")
        log(f"{stage.stage}: held-out loss by timestep {validation_loss(model, held_out, stage)}")
    return model


def export(folder: Path, path: Path, model: EMO) -> list[Path]:
    """One checkpoint in half precision, in pieces small enough for git."""
    vae, encoder = load_frozen(folder, model.config)
    parts = dict(model.named_children()) | {"vae": vae, "audio_encoder": encoder}
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_checkpoint(path, model.config, parts, NOTES, torch.float16, MAX_BYTES)
