"""`adapt` from videos to a LoRA and its page. Everything that takes time is kept beside the LoRA, so that the
same command goes on where it was stopped."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch

from emo_modules.checkpoints.adapter import AdapterUse, read_adapter
from emo_modules.checkpoints.encoders import load_audio_encoder, load_vae
from emo_modules.checkpoints.store import Loaded, checkpoint_files, read_checkpoint
from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig
from emo_modules.cues.ibug import POINTS
from emo_modules.families.family import SpeechEncoder
from emo_modules.models.precision import fast_type
from emo_modules.pipeline import Pipeline
from emo_modules.precision import default_device
from emo_modules.writing.digest import content_digest
from emo_modules.writing.partial import whole_file, write_text
from emo_modules.writing.place import check_file_place

from ..evaluation.measure import Log
from ..evaluation.page import number
from ..footage.shards import SampleEntry, ShardIndex
from ..perception.analyzers import load_analyzer
from ..perception.face_identity import WEIGHTS, load_identity
from ..perception.rates import FPS
from ..training.loop import Trainer
from ..training.lora import saved_lora
from ..training.relatives import relative_of
from ..training.shard_source import ShardSource
from ..training.start import Start, check_distilled, starting_model
from ..training.summary import describe_run
from .films import AFTER, BEFORE, BESIDE, Films
from .footage import check_length, check_one_person, gather, hold_out, prepare
from .page import lost, page, rows_of
from .recipe import Adaptation, Recipe, recipe_for

SETTINGS, RUN, FILMS, CACHE = "settings.json", "run", "films", "cache"


@dataclass(frozen=True)
class Job:
    """What is asked for. VAE and speech encoder are those of the checkpoint where none are given."""

    videos: tuple[Path, ...]
    out: Path
    checkpoint: Path
    asked: Adaptation
    vae: Path | None = None
    audio_encoder: Path | None = None
    analyzer: str = "faces"
    workers: int = 2

    @property
    def folder(self) -> Path:
        """Where footage, states and films are kept."""
        return self.out.with_suffix(".adapt")

    @property
    def page(self) -> Path:
        return self.out.with_suffix(".html")

    def settings(self) -> dict[str, Any]:
        asked = {name: value for name, value in asdict(self.asked).items() if name != "minutes"}
        files = [*checkpoint_files(self.checkpoint), *filter(None, (self.vae, self.audio_encoder))]
        return {
            "checkpoint": self.checkpoint.name,
            # by what is in them: an installation that moved, or was made again, goes on
            "weights": content_digest(*files)[:12],
            "analyzer": self.analyzer.partition(":")[0],
        } | asked

    def load(self, adapters: Sequence[AdapterUse] = ()) -> Pipeline:
        return Pipeline.load(
            self.checkpoint,
            default_device(),
            vae=self.vae,
            audio_encoder=self.audio_encoder,
            adapters=adapters,
        )


def check_job(job: Job) -> EMOConfig:
    """The checkpoint's configuration. Raises ValueError before anything is written: for a model that cannot
    learn, for a LoRA in the way, and for a folder that was begun with other settings."""
    check_file_place(job.out, (".safetensors",), (*job.videos, job.checkpoint))
    config = read_checkpoint(job.checkpoint).config
    check_distilled(config)
    check_analyzer(job.analyzer, config)
    if job.out.exists():
        check_own(job, config)
    check_settings(job.folder / SETTINGS, job.settings())
    return config


def check_analyzer(spec: str, config: EMOConfig) -> None:
    """Raises ValueError when the model cannot learn from what reads the faces."""
    relative = relative_of(config)
    if config.moving and spec != "faces":
        raise ValueError(
            f"{config.name} moves portraits and learns from the {POINTS} landmarks of --analyzer faces, got "
            f"{spec}"
        )
    if relative and relative.points > POINTS and spec == "faces":
        raise ValueError(
            f"{config.name} learns from {relative.points} landmarks, --analyzer faces reads {POINTS}: give "
            "--analyzer mediapipe:FILE"
        )


def check_settings(path: Path, wanted: dict[str, Any]) -> None:
    """Raises ValueError when the file says others."""
    begun = json.loads(path.read_text(encoding="utf-8")) if path.exists() else wanted
    others = [
        f"{name} {begun.get(name)}, not {value}" for name, value in wanted.items() if begun.get(name) != value
    ]
    if others:
        raise ValueError(f"{path.parent} was begun with {'; '.join(others)}: name another --out")


def check_own(job: Job, config: EMOConfig) -> None:
    """Raises ValueError when what lies at `out` is not an earlier result of the same."""
    found = read_adapter(job.out).info
    if found.family != config.family:
        raise ValueError(
            f"{job.out} is a LoRA for the family {found.family}, {config.name} is of {config.family}: name "
            "another --out"
        )
    if not job.folder.exists():
        raise ValueError(f"{job.out} is there and was not made in {job.folder}: name another --out")


def adapt(job: Job, config: EMOConfig, log: Log = print) -> bool:
    """Prepares, trains, films and writes the page; False when the time was up before the last step.

    Raises as `check_job`, and ValueError for footage of which nobody can be learned.
    """
    index, warning = prepared_footage(job, config)
    write_text(job.folder / SETTINGS, json.dumps(job.settings()))
    if warning:
        log(warning)
    learned, held_out = hold_out(index)
    films = Films(job.folder / FILMS, index.read(held_out))
    films.begin()
    films.make(BEFORE, job.load)
    if not train(job, learned, log):
        return False
    with whole_file(job.out) as partial_file:
        copyfile(saved_lora(job.folder / RUN), partial_file)
    films.make(AFTER, partial(job.load, [AdapterUse(job.out)]))
    trained = recipe_for(config, job.asked, half=False).train
    settings = job.settings() | {name: getattr(trained, name) for name in ("steps", "lr")}
    write_page(job, films, index, held_out, warning, settings, log)
    return True


def prepared_footage(job: Job, config: EMOConfig) -> tuple[ShardIndex, str | None]:
    """The samples, and what is to be said of them. Raises ValueError when nobody can be learned of them."""
    footage, shards = job.folder / "footage", job.folder / "shards"
    made = (shards, job.folder / FILMS, job.folder / CACHE)
    gather(job.videos, footage, made, job.out.stem, trained=(job.folder / RUN).exists())
    warning = check_length(prepare(footage, shards, config, job.analyzer, job.workers))
    index = ShardIndex.load(shards)
    check_one_person(index, load_identity(WEIGHTS))
    return index, warning


def train(job: Job, index: ShardIndex, log: Log) -> bool:
    """Goes on to the last step, or until the time is up: then False."""
    model, loaded, notes = starting_model(Start(checkpoint=job.checkpoint), job.asked.seed, None)
    assert loaded is not None  # as always with a checkpoint
    device = torch.device(default_device())
    vae, encoder = encoders(job, loaded)
    vae.to(device)
    encoder.to(device)
    recipe = recipe_for(model.config, job.asked, fast_type(device) == torch.bfloat16)
    source = open_source(job, model.config, index, vae, encoder, recipe)
    trainer = Trainer(
        model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]  # missing in torch's stub
        source,
        recipe.train,
        job.folder / RUN,
        log=log,
        objective=recipe.objective(model.config, vae),
        stage=recipe.stage,
        notes=notes,
    )
    trained = sum(parameter.numel() for _, parameter in trainer.named)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    log(describe_run(recipe.train, source.footage, trained, parameters, trainer.progress.per_update))
    return trainer.run().step >= recipe.train.steps


def encoders(job: Job, loaded: Loaded) -> tuple[VAE, SpeechEncoder]:
    """The given files', else the checkpoint's, frozen. Raises ValueError when there is none."""
    config = loaded.config
    vae = load_vae(job.vae, config, "cpu", torch.float32) if job.vae else loaded.vae
    heard = (
        load_audio_encoder(job.audio_encoder, config, "cpu") if job.audio_encoder else loaded.audio_encoder
    )
    if vae is None or heard is None:
        missing = [flag for flag, part in (("--vae", vae), ("--audio-encoder", heard)) if part is None]
        raise ValueError(f"{job.checkpoint} has no such part: give {' and '.join(missing)}")
    for part in (vae, heard):
        part.requires_grad_(False).eval()
    return vae, heard


def open_source(
    job: Job, model: EMOConfig, index: ShardIndex, vae: VAE, encoder: SpeechEncoder, recipe: Recipe
) -> ShardSource:
    """With latents and speech features kept on disk, but for models that move portraits: their encoder costs
    less than reading, and they compare pixels."""
    half = torch.bfloat16 if recipe.train.mixed_precision == "bf16" else None
    workers = job.workers if torch.cuda.is_available() else 0
    source = ShardSource(index, model, recipe.train.sampling, job.asked.seed, vae, encoder, workers, half)
    if not model.moving:
        source.use_cache(job.folder / CACHE)
    return source


def write_page(
    job: Job,
    films: Films,
    index: ShardIndex,
    held_out: SampleEntry,
    warning: str | None,
    settings: dict[str, Any],
    log: Log,
) -> None:
    before, after = films.measure(load_analyzer(job.analyzer), load_identity(WEIGHTS), log)
    rows = rows_of(before, after)
    seconds = sum(entry.frames for entry in index.entries) / FPS
    notes = [
        *([warning] if warning else []),
        *lost(rows),
        f"{len(index.entries)} samples, {seconds:.0f} s; the last one, of {held_out.frames / FPS:.1f} s, was "
        "held back. One sentence says little: look at others, too.",
        "Say that films made with this are generated, and make none that this person has not agreed to.",
    ]
    write_text(job.page, page(job.out, f"{job.folder.name}/{FILMS}/{BESIDE}", rows, notes, settings))
    for row in rows:
        log(f"{row.name}: {number(row.before)} before, {number(row.after)} after")
    log(f"{job.out}, and {job.page} to look at")
