"""`train`: one stage on encoded clips, from a checkpoint or from public initialisations."""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ..checkpoints.animatediff import initialise_from_animatediff
from ..checkpoints.rename import load_strict
from ..checkpoints.sd15 import initialise_from_sd15
from ..checkpoints.store import Loaded, load_checkpoint, save_checkpoint
from ..checkpoints.vae import build_vae
from ..config import EMOConfig
from ..data.clip_set import ClipSet, Sampling
from ..media.audio_features import AudioEncoder
from ..models.emo import EMO
from ..training.loop import TrainConfig, Trainer, load_parameters
from ..training.samples import sheet_drawer
from ..training.stages import PAPER_STAGES


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=sorted(PAPER_STAGES), required=True)
    parser.add_argument(
        "--clips", type=Path, required=True, help="encoded clips, as `ClipSet.save` writes them"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="state, checkpoint, samples if there is a VAE"
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--checkpoint", type=Path, help="start from here; else from the paper's preset")
    parser.add_argument(
        "--sd15", type=Path, help="Stable Diffusion 1.5's unet, diffusers naming, safetensors"
    )
    parser.add_argument("--animatediff", type=Path, help="AnimateDiff v2's motion module, safetensors")
    parser.add_argument(
        "--vae", type=Path, help="diffusers AutoencoderKL, safetensors: goes into the checkpoint"
    )
    parser.add_argument(
        "--audio-encoder", type=Path, help="Wav2Vec2Model, safetensors: goes into the checkpoint"
    )
    parser.add_argument("--batch", type=int, help="clips per process; default: the paper's")
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--minutes", type=float, help="stop, resumable, after this much wall clock")
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], default="bf16")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> None:
    start = load_checkpoint(options.checkpoint) if options.checkpoint else None
    model = start.model if start else EMO(EMOConfig.sd15())
    if options.sd15:
        initialise_from_sd15(model, load_file(options.sd15), str(options.sd15))
    if options.animatediff:
        initialise_from_animatediff(model, load_file(options.animatediff), str(options.animatediff))
    config = TrainConfig(
        options.stage,
        options.steps,
        lr=options.lr,
        seed=options.seed,
        precision=options.precision,
        minutes=options.minutes,
        sampling=stage_sampling(options.stage, model.config, options.batch),
    )
    clips, frozen = ClipSet.load(options.clips), frozen_parts(model.config, start, options)
    sheet = None
    if "vae" in frozen and config.table.clips:
        sheet = sheet_drawer(frozen["vae"], clips.part(0, 4), config.table.speed)
    model = model.to(memory_format=torch.channels_last)
    progress = Trainer(model, clips, config, options.out, sheet=sheet).run()
    load_parameters(model, options.out / "ema.safetensors")
    parts = dict(model.named_children()) | frozen
    written = options.out / "checkpoint.safetensors"
    save_checkpoint(written, model.config, parts, start.notes if start else None)
    print(f"{written}: stage {options.stage}, step {progress.step} of {options.steps}")


def stage_sampling(stage: str, config: EMOConfig, batch: int | None) -> Sampling:
    """EMO sec. 4.1: 48 pictures, then 4 clips of the model's own length and number of motion frames."""
    if stage == "image":
        return Sampling(batch=batch or 48, frames=1, motion_frames=0)
    return Sampling(batch=batch or 4, frames=config.clip_frames, motion_frames=config.motion_frames)


def frozen_parts(
    config: EMOConfig, start: Loaded | None, options: argparse.Namespace
) -> dict[str, nn.Module]:
    """VAE and audio encoder for the written checkpoint: the given files', else the starting checkpoint's."""
    parts = {}
    if start is not None:
        parts = {"vae": start.vae, "audio_encoder": start.audio_encoder}
    if options.vae:
        parts["vae"] = build_vae(config)
        load_strict(parts["vae"], load_file(options.vae), str(options.vae))
    if options.audio_encoder:
        parts["audio_encoder"] = AudioEncoder(config.audio.encoder, config.audio.normalize)
        load_strict(parts["audio_encoder"], load_file(options.audio_encoder), str(options.audio_encoder))
    return {name: part for name, part in parts.items() if part is not None}
