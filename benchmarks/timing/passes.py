"""Denoising passes and steps: time, memory, and what they are made of."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.originals.counting import Counts
from benchmarks.timing.bench import Bench
from benchmarks.timing.clock import gigabytes
from benchmarks.timing.row import Row
from benchmarks.timing.structures import Scene, driving, random_latents, read_video
from emo_modules.models.emo import EMO
from emo_modules.sampling.clips import render_clips

Figures = dict[str, Any]
Call = Callable[[], Tensor]


@torch.no_grad()
def step(bench: Bench, row: Row) -> Figures:
    """Seconds of a step without and with guidance, memory, and what a pass is made of."""
    model = bench.model(row)
    bench.clock.forget_peak()
    unguided, guided = steps_of(bench, row, model)
    times = timed(bench, unguided, guided)
    memory = bench.clock.memory()
    with Counts() as counts:
        unguided()
    counted = {f"pass_{name}": round(value, 6) for name, value in counts.found.items()}
    weights = sum(p.numel() * p.itemsize for p in model.parameters())
    sizes = {"frames": model.config.clip_frames, "weights_gb": gigabytes(weights)}
    return sizes | times | memory | counted


def steps_of(bench: Bench, row: Row, model: EMO) -> tuple[Call, Call]:
    """A step without guidance, and one with it."""
    scene, solver = Scene.of(model), bench.solver(row, model)
    at = (scene.timestep, scene.noisy, scene.conditions)
    cfg = row.cfg or model.config.schedule.cfg
    return lambda: solver.guided(1.0, *at), lambda: solver.guided(cfg, *at)


def timed(bench: Bench, unguided: Call, guided: Call) -> Figures:
    return {
        "unguided_seconds": round(bench.clock.repeated(unguided), 5),
        "guided_seconds": round(bench.clock.repeated(guided), 5),
    }


@torch.no_grad()
def halves(bench: Bench, row: Row) -> Figures:
    """Guidance's two halves one after the other and as one batch, whichever of them the solver takes."""
    model, found = bench.model(row), {}
    scene = Scene.of(model)
    cond, uncond, both = scene.conditions, scene.conditions.uncond(), scene.conditions.both
    noisy = torch.cat([scene.noisy, scene.noisy])

    def in_turn() -> None:
        for conditions in (cond, uncond):
            model.predict(scene.noisy, scene.timestep.expand(len(scene.noisy)), conditions)

    def together() -> None:
        model.predict(noisy, scene.timestep.expand(len(noisy)), both)

    for name, call in (("in_turn", in_turn), ("together", together)):
        bench.clock.forget_peak()
        found[f"{name}_seconds"] = round(bench.clock.repeated(call), 5)
        found |= {f"{name}_{key}": value for key, value in bench.clock.memory().items()}
    return found


@torch.no_grad()
def channels_last(bench: Bench, row: Row) -> Figures:
    """Steps with the weights of convolutions in channels-last order, beside `separate`: moving weights ends
    their being one."""
    model = bench.model(row)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # of modules it is not typed
    found = timed(bench, *steps_of(bench, row, model))
    bench.drop()
    return found


@torch.no_grad()
def separate(bench: Bench, row: Row) -> Figures:
    """Steps in which queries, keys and values are three products, as in ComfyUI, beside `step`."""
    model = bench.model(row)
    model.to(bench.device)  # ends their being one
    found = timed(bench, *steps_of(bench, row, model))
    bench.drop()
    return found


@torch.no_grad()
def compiled(bench: Bench, row: Row) -> Figures:
    """What --compile costs and gains: seconds until the first step without guidance is done, until the first
    with it is, and of those that follow."""
    bench.drop()  # none that was compiled before
    model = bench.model(row)
    model.backbone.compile(backend="eager" if bench.tiny else "inductor")
    bench.clock.forget_peak()
    unguided, guided = steps_of(bench, row, model)
    first = {
        "first_unguided_seconds": round(bench.clock.seconds(unguided), 1),
        "first_guided_seconds": round(bench.clock.seconds(guided), 1),
    }
    found = first | timed(bench, unguided, guided) | bench.clock.memory()
    torch._dynamo.reset()
    bench.drop()
    return found


@torch.no_grad()
def synchronisations(bench: Bench, row: Row) -> Figures:
    """How often the processor waits for the GPU: for each step, with and without a progress callback, and
    once for each clip besides."""
    model = bench.model(row)
    found: Figures = {}
    _waits(bench, replace(row, steps=1), model, watched=True)  # tables that are made once a process
    for name, watched in (("watched", True), ("unwatched", False)):
        few, more = (_waits(bench, replace(row, steps=steps), model, watched) for steps in (3, 6))
        found |= {f"{name}_per_step": (more - few) / 3, f"{name}_per_clip": 2 * few - more}
    return found


def _waits(bench: Bench, row: Row, model: EMO, watched: bool) -> int:
    config, like = model.config, next(model.parameters())
    frames = config.clip_frames
    video = read_video(model, random_latents(config, like, 1))
    noise = [random_latents(config, like, frames)]
    solve = bench.solver(row, model, watched)
    clips = render_clips(model.conditioner(), video, driving(config, frames), frames, solve, noise)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            next(clips)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(each.message) for each in caught)
