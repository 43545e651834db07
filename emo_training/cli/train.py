"""`train`: one stage on shards or encoded samples, alone or under accelerate launch, torchrun or srun."""

import argparse
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emo_modules.checkpoints.encoders import load_audio_encoder, load_vae
from emo_modules.checkpoints.store import Loaded, save_checkpoint
from emo_modules.config import EMOConfig

from ..folder_lock import folder_in_use
from ..footage.shards import ShardIndex, best_split
from ..training.batch_sources import BatchSource, MemorySource
from ..training.config_file import build_config, read_values
from ..training.logs import Board
from ..training.loop import Sheet, TrainConfig, Trainer, load_parameters
from ..training.sample_set import SampleSet, draw_batch
from ..training.samples import sheet_draw, sheet_drawer
from ..training.shard_source import ShardSource
from ..training.stages import PAPER_STAGES
from ..training.start import Start, starting_model

SHOWN = 4  # samples on a sample sheet
OVERRIDES = (
    "stage", "steps", "accumulate", "lr", "minutes", "precision", "recompute", "save_every", "seed",
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="YAML of TrainConfig's fields; configs/ has the paper's")
    parser.add_argument("--stage", choices=sorted(PAPER_STAGES))
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--shards", type=Path, help="the folder that `prepare` wrote")
    data.add_argument(
        "--samples", "--clips", type=Path, help="encoded samples, as `SampleSet.save` writes them"
    )
    parser.add_argument("--out", type=Path, required=True, help="state, logs, samples and the checkpoint")
    add_start_options(parser)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, help="samples per process; default: the paper's")
    parser.add_argument("--accumulate", type=int, help="batches of each process per update")
    parser.add_argument("--lr", type=float, help="default: 1e-5, the paper's")
    parser.add_argument("--minutes", type=float, help="stop, resumable, after this much wall clock")
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], help="default: bf16")
    parser.add_argument("--recompute", action="store_true", default=None, help="gradient checkpointing")
    parser.add_argument("--save-every", type=int, help="steps; default: 250")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=2, help="processes that read shards")
    parser.add_argument(
        "--keep-speed-buckets", action="store_true", help="do not fit them to the shards (speed stage)"
    )


def add_start_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, help="start from here; else from the paper's preset")
    parser.add_argument("--sd15", type=Path, help="Stable Diffusion 1.5's unet in diffusers naming")
    parser.add_argument("--animatediff", type=Path, help="AnimateDiff v2's motion module")
    parser.add_argument("--relative", type=Path, help="released weights of Hallo, EchoMimic or V-Express")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="another picture size")
    parser.add_argument("--vae", type=Path, help="the VAE, as it was published: goes into the checkpoint")
    parser.add_argument(
        "--audio-encoder", type=Path, help="the speech encoder, as it was published: goes into the checkpoint"
    )


def run(options: argparse.Namespace) -> None:
    from accelerate import PartialState

    logging.getLogger("accelerate").setLevel(logging.WARNING)  # it tells of every file it saves
    state = PartialState(cpu=not torch.cuda.is_available())
    values = given_values(options)
    index = ShardIndex.load(options.shards) if options.shards else None
    # all processes write there, for one run
    with folder_in_use(options.out, "train") if state.is_main_process else nullcontext():
        train_stage(options, values, index, state.device, state.is_main_process)
    state.destroy_process_group()


def train_stage(
    options: argparse.Namespace,
    values: dict[str, Any],
    index: ShardIndex | None,
    device: torch.device,
    main: bool,
) -> None:
    """Trains; the main process writes the checkpoint."""
    fitted = index is not None and values.get("stage") == "speed" and not options.keep_speed_buckets
    start = Start(options.checkpoint, options.sd15, options.animatediff, options.relative, options.size)
    model, loaded, notes = starting_model(start, values.get("seed", 0), index.speeds if fitted else None)
    config = build_config(values, model.config)
    frozen = frozen_parts(model.config, loaded, options)
    for part in frozen.values():
        part.to(device).requires_grad_(False).eval()
    source = open_source(config, model.config, frozen, index, options)
    show = main and config.table.clips and "vae" in frozen
    sheet = sheet_of(config, model.config, frozen, options) if show else None
    board = Board(options.out) if main else None
    model = model.to(memory_format=torch.channels_last)
    progress = Trainer(model, source, config, options.out, sheet=sheet, board=board).run()
    if main:
        load_parameters(model, options.out / "ema.safetensors")
        written = options.out / "checkpoint.safetensors"
        save_checkpoint(written, model.config, dict(model.named_children()) | frozen, notes)
        print(f"{written}: stage {config.stage}, step {progress.step} of {config.steps}")


def given_values(options: argparse.Namespace) -> dict[str, Any]:
    """The file's values, then the command line's."""
    values = read_values(options.config) if options.config else {}
    given = {name: getattr(options, name) for name in OVERRIDES}
    values |= {name: value for name, value in given.items() if value is not None}
    if options.batch is not None:
        values["draw"] = values.get("draw", {}) | {"batch": options.batch}
    return values


def open_source(
    config: TrainConfig,
    model: EMOConfig,
    frozen: dict[str, nn.Module],
    index: ShardIndex | None,
    options: argparse.Namespace,
) -> BatchSource:
    if index is None:
        return MemorySource(SampleSet.load(options.samples), model, config.draw, config.seed)
    needed = {"vae": "--vae"} | ({"audio_encoder": "--audio-encoder"} if config.table.clips else {})
    if missing := [flag for part, flag in needed.items() if part not in frozen]:
        raise ValueError(
            f"shards hold pictures and sound, so {' and '.join(missing)} must be given: the start has none"
        )
    encoder = frozen["audio_encoder"] if config.table.clips else None
    precision = torch.bfloat16 if config.precision == "bf16" else None
    parts = (frozen["vae"], encoder, options.workers, precision)
    return ShardSource(index, model, config.draw, config.seed, *parts)


def sheet_of(
    config: TrainConfig, model: EMOConfig, frozen: dict[str, nn.Module], options: argparse.Namespace
) -> Sheet:
    """Draws samples of the test split, where there is one."""
    whole = sheet_draw(model, SHOWN)
    if options.samples:
        shown = draw_batch(SampleSet.load(options.samples), model, whole, torch.Generator().manual_seed(7))
    else:
        held_out = ShardIndex.load(options.shards, best_split(options.shards))
        parts = (frozen["vae"], frozen["audio_encoder"], 0)
        shown, _ = next(ShardSource(held_out, model, whole, 7, *parts).stream([0]))
    return sheet_drawer(frozen["vae"], shown, config.table.speed)


def frozen_parts(
    config: EMOConfig, start: Loaded | None, options: argparse.Namespace
) -> dict[str, nn.Module]:
    """VAE and audio encoder for the written checkpoint: the given files', else the starting checkpoint's."""
    parts = {}
    if start is not None:
        parts = {"vae": start.vae, "audio_encoder": start.audio_encoder}
    if options.vae:
        parts["vae"] = load_vae(options.vae, config, "cpu", torch.float32)
    if options.audio_encoder:
        parts["audio_encoder"] = load_audio_encoder(options.audio_encoder, config, "cpu")
    return {name: part for name, part in parts.items() if part is not None}
