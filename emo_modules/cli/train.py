"""`train`: one stage on encoded clips, from a checkpoint or from public initialisations."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..checkpoints.animatediff import initialise_from_animatediff
from ..checkpoints.sd15 import initialise_from_sd15
from ..checkpoints.store import load_checkpoint, save_checkpoint
from ..config import EMOConfig
from ..data.clip_set import ClipSet, Sampling
from ..models.emo import EMO
from ..training.loop import TrainConfig, Trainer, load_parameters
from ..training.stages import PAPER_STAGES

# EMO sec. 4.1: batch 48 pictures, then 4 clips of 12 frames with 4 motion frames; learning rate 1e-5
# throughout
SAMPLING = {"image": Sampling(batch=48, frames=1, motion_frames=0), "video": Sampling(), "speed": Sampling()}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=sorted(PAPER_STAGES), required=True)
    parser.add_argument(
        "--clips", type=Path, required=True, help="encoded clips, as `ClipSet.save` writes them"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="state, samples and checkpoint; resumes what is there"
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--checkpoint", type=Path, help="start from here; else from the paper's preset")
    parser.add_argument(
        "--sd15", type=Path, help="Stable Diffusion 1.5's unet, diffusers naming, safetensors"
    )
    parser.add_argument("--animatediff", type=Path, help="AnimateDiff v2's motion module, safetensors")
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
    sampling = SAMPLING[options.stage]
    config = TrainConfig(
        options.stage,
        options.steps,
        lr=options.lr,
        seed=options.seed,
        precision=options.precision,
        minutes=options.minutes,
        sampling=replace(sampling, batch=options.batch or sampling.batch),
    )
    progress = Trainer(
        model.to(memory_format=torch.channels_last), ClipSet.load(options.clips), config, options.out
    ).run()
    load_parameters(model, options.out / "ema.safetensors")
    parts = dict(model.named_children())
    if start is not None:
        parts |= {
            name: part for name in ("vae", "audio_encoder") if (part := getattr(start, name)) is not None
        }
    save_checkpoint(
        options.out / "checkpoint.safetensors", model.config, parts, start.notes if start else None
    )
    written = options.out / "checkpoint.safetensors"
    print(f"{written}: stage {options.stage}, step {progress.step} of {options.steps}")
