"""Whole clips and films: what a user waits for."""

import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing.bench import Bench
from benchmarks.timing.clock import gigabytes
from benchmarks.timing.row import Row
from benchmarks.timing.structures import driving, random_latents, random_vae, read_video
from emo_modules.checkpoints.vae import VAE
from emo_modules.cli.cost import work_for
from emo_modules.cost.memory import Weights, memory
from emo_modules.cost.rates import Rates
from emo_modules.cost.stopwatch import Stopwatch
from emo_modules.cost.work import Work
from emo_modules.media.audio import Audio
from emo_modules.media.image import load_image, to_bytes
from emo_modules.model_choice import ModelChoice
from emo_modules.models.conditions import Conditions, VideoConditions
from emo_modules.models.emo import EMO
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.precision import DTYPES
from emo_modules.sampling.clips import Solve, render_clips
from emo_modules.sampling.decode import DECODE_BATCH, decode_beside, decode_frames
from emo_modules.sampling.windows import Windows

SAMPLES = Path(__file__).parents[2] / "samples"
CLIPS_BESIDE = 4
SHORT, LONG = 5.0, 20.0  # seconds of a film
Figures = dict[str, Any]


@torch.no_grad()
def clip(bench: Bench, row: Row) -> Figures:
    """One clip as a rendering makes it, after the portrait was read: what happens before its steps, the
    steps, and decoding. What the estimate says of its memory stands beside what it took."""
    model, clock = bench.model(row), bench.clock
    vae = random_vae(model.config, bench.device, DTYPES[row.dtype])
    solver = bench.solver(row, model)
    warm = bench.solver(replace(row, steps=2, guided=(0.0, 1.0)), model)
    as_written(decode_frames(vae, next(_clips(model, vae, _portrait(model, vae), warm))))
    clock.forget_peak()
    found: list[VideoConditions] = []
    portrait = clock.seconds(lambda: found.append(_portrait(model, vae)))
    steps: list[float] = []

    def solve(noise: Tensor, conditions: Conditions | Windows, index: int = 0) -> Tensor:
        solved: list[Tensor] = []
        steps.append(clock.seconds(lambda: solved.append(solver(noise, conditions, index))))
        return solved[0]

    latents: list[Tensor] = []
    made = clock.seconds(lambda: latents.append(next(_clips(model, vae, found[0], solve))))
    decoding = clock.seconds(lambda: as_written(decode_frames(vae, latents[0])))
    config, frames = model.config, len(latents[0])
    work = Work(
        config, frames, frames / config.fps, config.width, config.height, solver.steps, solver.cfg,
        solver.guided_steps, str(bench.device), DTYPES[row.dtype], deep_cache=row.deep_cache,
    )  # fmt: skip
    return {
        "frames": frames,
        "all_steps": solver.steps,
        "portrait_seconds": round(portrait, 4),
        "before_seconds": round(made - steps[0], 4),
        "steps_seconds": round(steps[0], 4),
        "decoding_seconds": round(decoding, 4),
        "clip_seconds": round(made + decoding, 4),
        **clock.memory(),
        **_told(work, Weights(_count(model) + _count(vae), _count(model.reference_net))),
    }


def _portrait(model: EMO, vae: VAE) -> VideoConditions:
    like = next(model.parameters())
    size = (model.config.height, model.config.width)
    picture = torch.rand(1, 3, *size, device=like.device, dtype=like.dtype) * 2 - 1
    return read_video(model, vae.encode(picture))


def _clips(model: EMO, vae: VAE, video: VideoConditions, solve: Solve, count: int = 1) -> Iterator[Tensor]:
    """Latents of clip after clip; each has another before it."""
    config, like = model.config, video.portrait
    frames = count * config.clip_frames
    noise = (random_latents(config, like, config.clip_frames) for _ in range(count))
    before = random_latents(config, like, config.motion_frames) if config.motion_frames else None

    def through_pixels(motion: Tensor) -> Tensor:
        return vae.encode(vae.decode(motion).clamp(-1, 1))

    keep: Callable[[Tensor], Tensor] = through_pixels if config.quirks.motion_pixels else _as_it_is
    return render_clips(
        model.conditioner(), video, driving(config, frames), frames, solve, noise, keep, before=before
    )


def _as_it_is(motion: Tensor) -> Tensor:
    return motion


def as_written(frames: Tensor) -> Tensor:
    """Frames as a film takes them, in main memory."""
    return to_bytes(frames).cpu()


def _count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _told(work: Work, weights: Weights) -> Figures:
    """What the estimate says of a GPU's memory."""
    told = memory(work, weights).graphics
    return {} if told is None else {"told_gb": gigabytes(told)}


@torch.no_grad()
def beside(bench: Bench, row: Row) -> Figures:
    """Several clips that are decoded one after the other, and with --decode-beside."""
    model, found = bench.model(row), {}
    vae = random_vae(model.config, bench.device, DTYPES[row.dtype])
    video, solver = _portrait(model, vae), bench.solver(row, model)

    def after() -> None:
        for latents in _clips(model, vae, video, solver, CLIPS_BESIDE):
            as_written(decode_frames(vae, latents))

    def at_once() -> None:
        for frames in decode_beside(vae, _clips(model, vae, video, solver, CLIPS_BESIDE)):
            as_written(frames)

    for name, call in (("after", after), ("beside", at_once)):
        call()  # to warm up
        bench.clock.forget_peak()
        found[f"{name}_seconds"] = round(bench.clock.seconds(call), 4)
        found |= {f"{name}_{key}": value for key, value in bench.clock.memory().items()}
    return {"clips": CLIPS_BESIDE, "all_steps": solver.steps, **found}


@torch.no_grad()
def decoding(bench: Bench, row: Row) -> Figures:
    """Seconds for each frame that Stable Diffusion's VAE decodes, alone and as bytes in main memory."""
    bench.drop()  # its memory is not the VAE's
    config = bench.config(row)
    vae = random_vae(config, bench.device, DTYPES[row.dtype])
    latents = random_latents(config, next(vae.parameters()), DECODE_BATCH)
    bench.clock.forget_peak()
    alone = bench.clock.repeated(lambda: vae.decode(latents))
    copied = bench.clock.repeated(lambda: as_written(decode_frames(vae, latents)))
    return {
        "batch": DECODE_BATCH,
        "frame_seconds": round(alone / DECODE_BATCH, 5),
        "frame_seconds_copied": round(copied / DECODE_BATCH, 5),
        **bench.clock.memory(),
    }


def film(bench: Bench, row: Row) -> Figures:
    """The built-in model, all but reading and writing files: a short film with loading, the rates that it
    gives, and what they say of a longer one beside what that takes."""
    bench.drop()
    dtype = "fp32" if bench.tiny else row.dtype  # few CPUs have half precision, and this one is not tiny
    choice = ModelChoice(no_clips=True, dtype=dtype)  # type: ignore[arg-type]  # a row's is one of them
    short, long = (_speech(seconds / 40 if bench.tiny else seconds) for seconds in (SHORT, LONG))
    device, options, watch = str(bench.device), Options(size=row.size), Stopwatch()
    bench.clock.forget_peak()
    loaded: list[Pipeline] = []
    loading = bench.clock.seconds(lambda: loaded.append(choice.load(device)))
    config, weights = choice.read()
    work, longer = (work_for(config, sound, options, choice, device) for sound in (short, long))
    first = bench.clock.seconds(lambda: _render(loaded[0], short, options, watch))
    rates = watch.rates(work)
    assert rates is not None, "a clip was computed"
    again = bench.clock.seconds(lambda: _render(loaded[0], short, options, Stopwatch()))
    took = bench.clock.seconds(lambda: _render(loaded[0], long, options, Stopwatch()))
    return {
        "frames": work.frames,
        "all_steps": work.all_steps,
        "loading_seconds": round(loading, 3),
        "film_seconds": round(first, 3),
        "film_again_seconds": round(again, 3),
        "rates": {name: round(value, 6) for name, value in vars(rates).items()},
        **_longer(longer, rates, loading + took),
        **bench.clock.memory(),
        **_told(longer, weights),
    }


def _longer(work: Work, rates: Rates, took: float) -> Figures:
    told = rates.seconds(work)
    return {"longer_frames": work.frames, "told_seconds": round(told, 3), "took_seconds": round(took, 3)}


def _render(pipeline: Pipeline, sound: Audio, options: Options, watch: Stopwatch) -> None:
    animation = pipeline.animate(load_image(SAMPLES / "portrait.png"), sound, options, watch=watch)
    for frames in watch.laps(animation.frames):
        as_written(frames)


def _speech(seconds: float) -> Audio:
    """Of the sample, repeated as needed; read without the libraries that a bare machine lacks."""
    with wave.open(str(SAMPLES / "speech.wav")) as file:
        rate, data = file.getframerate(), file.readframes(file.getnframes())
    spoken = torch.from_numpy(np.frombuffer(data, np.int16).astype(np.float32) / 2**15)
    needed = round(seconds * rate)
    return Audio(spoken.repeat(needed // len(spoken) + 1)[:needed], rate)
