"""`distill`: a LoRA with which a model needs few steps and no guidance (docs/training.md, "Few steps")."""

import argparse
from pathlib import Path
from typing import Any

from emo_modules.checkpoints.store import read_checkpoint
from emo_modules.cli.options import add_field_options, field_values
from emo_modules.writing.place import check_file_place

from ..training.distillation import Distillation
from ..training.lora import copy_lora
from ..training.stages import DISTILL
from ..training.start import check_teacher
from ..training.train_config import TrainConfig
from .train import add_data_options, given_values, launch

# Where no --config says otherwise: LCM-LoRA's rate (arXiv 2311.05556), and half of its rank.
DEFAULTS: dict[str, Any] = {
    "steps": 2000,
    "lora": 32,
    "lora_layers": "linear",
    "lr": 1e-4,
    "warmup": 50,
    "sampling": {"batch": 1, "first_clip": 0.1},
    "loss": {"inference_share": 0.2, "own_motion": 0.25},
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teacher",
        dest="checkpoint",
        type=Path,
        required=True,
        help="the weights, of EMO's structure or a relative's, as trained or as released",
    )
    parser.add_argument("--out", type=Path, required=True, help="the LoRA; states and logs lie beside it")
    add_field_options(parser, Distillation)
    parser.add_argument("--updates", type=int, help=f"of the weights; default: {DEFAULTS['steps']}")
    add_data_options(parser)
    add_field_options(parser, TrainConfig, without=("stage", "steps"))


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",), [options.checkpoint])
    check_teacher(read_checkpoint(options.checkpoint).config)
    folder = options.out.with_suffix("")
    here = argparse.Namespace(**vars(options) | {"out": folder, "keep_speed_buckets": True})
    values = distillation_values(options)
    if launch(here, values):
        few = Distillation(**values["distill"]).few_steps
        print(f"{copy_lora(folder, options.out)}: {few}, which animate --lora and EMO Load LoRA choose")


def distillation_values(options: argparse.Namespace) -> dict[str, Any]:
    """`DEFAULTS`, then the file's values, then the command line's."""
    values = given_values(argparse.Namespace(**vars(options) | {"steps": options.updates}))
    for name, default in DEFAULTS.items():
        given = values.get(name, {} if isinstance(default, dict) else default)
        values[name] = default | given if isinstance(default, dict) else given
    chosen = values.get("distill", {}) | field_values(Distillation, options)
    return values | {"stage": DISTILL, "distill": chosen}
