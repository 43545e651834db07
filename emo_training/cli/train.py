"""`train`: one stage on shards or encoded samples, alone or under accelerate launch, torchrun or srun."""

import argparse
import logging
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emo_modules.checkpoints.encoders import load_audio_encoder, load_vae
from emo_modules.checkpoints.store import Loaded, read_checkpoint, save_checkpoint
from emo_modules.checkpoints.vae import VAE
from emo_modules.cli.options import add_field_options, field_values
from emo_modules.config import EMOConfig
from emo_modules.families.family import SpeechEncoder
from emo_modules.writing.folder_lock import folder_in_use

from ..footage.advice import warn_of_split
from ..footage.shards import ShardIndex, best_split
from ..training.batch_sources import MemorySource
from ..training.config_file import build_config, read_values
from ..training.distillation import Distillation
from ..training.fidelity import Fidelity
from ..training.identities import Identities
from ..training.logs import Board
from ..training.loop import Sheet, Trainer, Validation, load_parameters
from ..training.lora import copy_lora
from ..training.losses import LossConfig
from ..training.objective import Denoising
from ..training.relatives import relative_of
from ..training.sample_set import Draw, SampleSet, draw_batch
from ..training.shard_source import ShardSource
from ..training.sheets import sheet_draw, sheet_drawer
from ..training.speed_buckets import check_speeds
from ..training.stages import Stage, stage_of
from ..training.start import Start, check_trainable, starting_model
from ..training.state import saved_weights
from ..training.summary import describe_run
from ..training.train_config import TrainConfig
from ..training.validation import validation_losses

SHOWN = 4  # samples on a sample sheet
VALIDATED = 16  # samples that the held-out losses are of
COMPARED = 4  # samples that a teacher renders

_log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="state, logs, sheets and the checkpoint")
    add_field_options(parser, Start)
    add_field_options(parser, TrainConfig)
    parser.add_argument(
        "--keep-speed-buckets", action="store_true", help="do not fit them to the shards (speed stage)"
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """What is trained on, and how it is read."""
    parser.add_argument("--config", type=Path, help="YAML of TrainConfig's fields; configs/ has the paper's")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--shards", type=Path, help="the folder that `prepare` wrote")
    data.add_argument(
        "--samples", "--clips", type=Path, help="encoded samples, as `SampleSet.save` writes them"
    )
    parser.add_argument("--vae", type=Path, help="the VAE, as it was published: goes into the checkpoint")
    parser.add_argument(
        "--audio-encoder", type=Path, help="the speech encoder, as it was published: goes into the checkpoint"
    )
    parser.add_argument(
        "--identities", type=Path, help="a folder of IDENTITY.npy, face embeddings (Hallo, Hallo2, JoyHallo)"
    )
    parser.add_argument("--batch", type=int, help="samples per process; default: the paper's")
    parser.add_argument("--workers", type=int, default=2, help="processes that read shards")
    parser.add_argument(
        "--cache",
        type=Path,
        help="folder for latents and speech features, made once and read by every step; for small sets",
    )


def run(options: argparse.Namespace) -> None:
    values = given_values(options)
    if options.checkpoint:
        config = read_checkpoint(options.checkpoint).config
        check_trainable(config, Start(**field_values(Start, options)))
        if "stage" in values:
            stage_of(config, values["stage"], values.get("demo", False))
    launch(options, values)


def launch(options: argparse.Namespace, values: dict[str, Any]) -> bool:
    """Trains in `options.out`, alone or as one of the processes that a launcher started; tells whether this
    is the main one."""
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    index = ShardIndex.load(options.shards) if options.shards else None
    if options.shards and state.is_main_process and (warning := warn_of_split(options.shards)):
        _log.warning("%s", warning)
    # all processes write there, for one run
    with folder_in_use(options.out, "train") if state.is_main_process else nullcontext():
        train_stage(options, values, index, state.device, state.is_main_process)
    state.destroy_process_group()
    return state.is_main_process


def train_stage(
    options: argparse.Namespace,
    values: dict[str, Any],
    index: ShardIndex | None,
    device: torch.device,
    main: bool,
) -> None:
    """Trains; the main process writes the checkpoint."""
    fitted = index if values.get("stage") == "speed" and not options.keep_speed_buckets else None
    start = Start(**field_values(Start, options))
    model, loaded, notes = starting_model(start, values.get("seed", 0), fitted.speeds if fitted else None)
    config = build_config(values, model.config)
    stage = stage_of(model.config, config.stage, config.demo)
    encoders = load_encoders(model.config, loaded, options)
    for part in encoders.parts.values():
        part.to(device).requires_grad_(False).eval()
    if index is not None and stage.speed and not config.distill:
        check_speeds(index.speeds)
    source = open_source(config, stage, model.config, encoders, index, options)
    if isinstance(source, ShardSource) and options.cache:
        fill_cache(source, options.cache)
    sheet = make_sheet(stage, model.config, encoders, options, config.distill) if main else None
    validation = make_validation(stage, model.config, encoders, options, config.distill) if main else None
    board = Board(options.out) if main else None
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
    trainer = Trainer(
        model, source, config, options.out, sheet=sheet, board=board, validation=validation, notes=notes
    )
    if main:
        trained = sum(parameter.numel() for _, parameter in trainer.named)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(describe_run(config, source.footage, trained, parameters, trainer.progress.per_update))
        if index is not None and validation is None:
            print("nobody is held out: samples are of people who are trained on, and nothing is validated")
    progress = trainer.run()
    if main and config.lora is not None:
        print(f"{copy_lora(options.out)}: stage {config.stage}, step {progress.step} of {config.steps}")
    elif main:
        load_parameters(model, saved_weights(options.out))
        written = options.out / "checkpoint.safetensors"
        save_checkpoint(written, model.config, dict(model.named_children()) | encoders.parts, notes)
        print(f"{written}: stage {config.stage}, step {progress.step} of {config.steps}")


def fill_cache(source: ShardSource, folder: Path) -> None:
    """All processes together."""
    from accelerate import PartialState

    state = PartialState()
    source.use_cache(folder, state.process_index, state.num_processes)
    state.wait_for_everyone()


def given_values(options: argparse.Namespace) -> dict[str, Any]:
    """The file's values, then the command line's."""
    values = read_values(options.config) if options.config else {}
    values |= field_values(TrainConfig, options)
    if options.batch is not None:
        values["sampling"] = values.get("sampling", {}) | {"batch": options.batch}
    return values


@dataclass(frozen=True)
class Encoders:
    """What makes latents and speech features of samples; both go into the checkpoint that is written."""

    vae: VAE | None
    audio_encoder: SpeechEncoder | None

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {name: part for name, part in vars(self).items() if part is not None}


def load_encoders(config: EMOConfig, start: Loaded | None, options: argparse.Namespace) -> Encoders:
    """The given files', else the starting checkpoint's."""
    vae, encoder = (start.vae, start.audio_encoder) if start else (None, None)
    if options.vae:
        vae = load_vae(options.vae, config, "cpu", torch.float32)
    if options.audio_encoder:
        encoder = load_audio_encoder(options.audio_encoder, config, "cpu")
    return Encoders(vae, encoder)


def open_source(
    config: TrainConfig,
    stage: Stage,
    model: EMOConfig,
    encoders: Encoders,
    index: ShardIndex | None,
    options: argparse.Namespace,
) -> MemorySource | ShardSource:
    if index is None:
        if relative_of(model):
            raise ValueError(f"encoded samples have what EMO reads only: train {model.name} on --shards")
        if options.cache:
            raise ValueError("--cache is for --shards: encoded samples are latents already, leave it out")
        return MemorySource(SampleSet.load(options.samples), model, config.sampling, config.seed)
    encoder = encoders.audio_encoder if stage.sound else None
    if encoders.vae is None or (encoder is None and stage.sound):
        needed = {"--vae": encoders.vae} | ({"--audio-encoder": encoder} if stage.sound else {})
        missing = " and ".join(flag for flag, part in needed.items() if part is None)
        raise ValueError(f"shards hold pictures and sound, so {missing} must be given: the start has none")
    precision = torch.bfloat16 if config.mixed_precision == "bf16" else None
    return ShardSource(
        index,
        model,
        config.sampling,
        config.seed,
        encoders.vae,
        encoder,
        options.workers,
        precision,
        open_identities(model, options),
    )


def make_sheet(
    stage: Stage,
    model: EMOConfig,
    encoders: Encoders,
    options: argparse.Namespace,
    distill: Distillation | None,
) -> Sheet | None:
    """Draws held-out samples, if there is a VAE to draw them with."""
    if encoders.vae is None:
        return None
    whole = sheet_draw(model, SHOWN, stage.clips)
    if options.samples:
        shown = draw_batch(SampleSet.load(options.samples), model, whole, torch.Generator().manual_seed(7))
    else:
        source = held_out_source(stage, model, whole, encoders.vae, encoders.audio_encoder, options)
        shown, _ = next(source.stream([0]))
    few = None if distill is None else distill.few_steps
    return sheet_drawer(encoders.vae, shown, stage, few)


def make_validation(
    stage: Stage,
    model: EMOConfig,
    encoders: Encoders,
    options: argparse.Namespace,
    distill: Distillation | None,
) -> Validation | None:
    """Tells the losses of samples that are not trained on, if there are any; or how far a student is from its
    teacher there."""
    if encoders.vae is None or options.samples or best_split(options.shards) != "test":
        return None
    one = sheet_draw(model, 1, stage.clips)
    source = held_out_source(stage, model, one, encoders.vae, encoders.audio_encoder, options)
    numbers = range(min(COMPARED if distill else VALIDATED, source.footage.samples))
    batches = [batch for batch, _ in source.stream(numbers)]
    if distill:
        return Fidelity(batches, stage, distill)
    objective = Denoising(model, stage, LossConfig())
    return partial(validation_losses, batches=batches, objective=objective)


def held_out_source(
    stage: Stage,
    model: EMOConfig,
    draw: Draw,
    vae: VAE,
    encoder: SpeechEncoder | None,
    options: argparse.Namespace,
) -> ShardSource:
    """Of the test split, where there is one."""
    index = ShardIndex.load(options.shards, best_split(options.shards))
    heard = encoder if stage.sound else None
    identities = open_identities(model, options)
    return ShardSource(index, model, draw, 7, vae, heard, workers=0, identities=identities)


def open_identities(model: EMOConfig, options: argparse.Namespace) -> Identities | None:
    return Identities(options.identities, model) if options.identities else None
