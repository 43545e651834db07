"""`adapt VIDEO... --out person.safetensors`: one person's videos -> a LoRA and a page that shows it."""

import argparse
from pathlib import Path

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.cli.options import add_field_options, field_values
from emo_modules.writing.folder_lock import folder_in_use

from ..adapting.recipe import Adaptation
from ..adapting.run import Job, adapt, check_job


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", type=Path, nargs="+", help="of one person who speaks, with their sound")
    parser.add_argument("--out", type=Path, required=True, help="the LoRA, .safetensors; a page lies beside")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=DEMO_CHECKPOINT,
        help="what is adapted; default: the built-in model",
    )
    add_field_options(parser, Adaptation)
    parser.add_argument("--vae", type=Path, help="for checkpoints without one")
    parser.add_argument("--audio-encoder", type=Path, help="for checkpoints without one")
    parser.add_argument("--analyzer", default="faces", help="faces, or mediapipe:FILE")
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare videos and read them")


def run(options: argparse.Namespace) -> None:
    job = Job(
        tuple(options.videos),
        options.out,
        options.checkpoint,
        Adaptation(**field_values(Adaptation, options)),
        options.vae,
        options.audio_encoder,
        options.analyzer,
        options.workers,
    )
    config = check_job(job)
    with folder_in_use(job.folder, "adapt"):
        if not adapt(job, config):
            print(f"{job.folder}: the time is up; the same command goes on from here")
