"""Our side of compare.py: one clip of a relative's weights, in a process of its own."""

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.originals.counting import Counts
from benchmarks.originals.meter import now, peak_bytes, report, reset_peak
from emo_modules.checkpoints.store import read_checkpoint
from emo_modules.checkpoints.vae import VAE, build_vae
from emo_modules.config import EMOConfig
from emo_modules.models.conditions import Conditions, VideoConditions
from emo_modules.models.emo import Conditioner
from emo_modules.models.relatives.regions import read_regions
from emo_modules.precision import DTYPES
from emo_modules.sampling.clips import Driving, render_clips
from emo_modules.sampling.decode import decode_frames
from emo_modules.sampling.lean import lean_conditioner
from emo_modules.sampling.solver import Solver, Step
from emo_modules.sampling.windows import Windows

ROWS = {"hallo": 5, "echomimic": 10, "v_express": 10}  # feature rows in one frame's window
LEVELS = 4


def as_given(config: EMOConfig, scene: dict[str, Any]) -> EMOConfig:
    """The inputs hold finished audio windows, so each frame's own rows are all that it reads."""
    quirks = replace(config.quirks, audio_rows=ROWS[config.family], audio_row_rate=None)
    audio, frames = replace(config.audio, context=0), config.clip_frames
    if quirks.windows is not None:
        frames = scene["context_frames"]
        windows = replace(quirks.windows, frames=frames, overlap=scene["context_overlap"])
        quirks = replace(quirks, windows=windows)
    return replace(config, audio=audio, clip_frames=frames, quirks=quirks)


def rows_of(inputs: dict[str, Tensor], config: EMOConfig) -> Tensor:
    """(F * rows, layers, D)"""
    given = inputs["windows" if config.family == "hallo" else "audio"]
    return given.reshape(-1, config.audio.layers, config.audio.feature_dim)


def read_video(conditioner: Conditioner, inputs: dict[str, Tensor], portrait: Tensor) -> VideoConditions:
    identity = inputs["identity"][None] if "identity" in inputs else None
    regions = None
    if conditioner.config.family == "hallo":
        levels = [(inputs[f"full_{k}"], inputs[f"face_{k}"], inputs[f"lip_{k}"]) for k in range(LEVELS)]
        regions = read_regions(levels)
    picture = None if per_frame(inputs) else inputs["region"][None]
    return conditioner.video(portrait, picture, identity, regions)


def per_frame(inputs: dict[str, Tensor]) -> bool:
    return inputs["region"].ndim == 4


def denoise(
    conditioner: Conditioner, inputs: dict[str, Tensor], portrait: Tensor, solve: Callable[..., Tensor]
) -> Tensor:
    """Latents (F, C, h, w). A portrait that was encoded here is also the past of the first clip."""
    video = read_video(conditioner, inputs, portrait)
    noise, rows = inputs["noise"], rows_of(inputs, conditioner.config)
    if conditioner.config.quirks.windows is not None:
        pictures = inputs["region"] if per_frame(inputs) else None
        return torch.cat(
            list(render_clips(conditioner, video, Driving(rows, None, pictures), len(noise), solve, [noise]))
        )
    windows = rows.unflatten(0, (len(noise), -1))[None]
    motion = inputs["motion"][None] if portrait is inputs["portrait"] else None
    return solve(noise, conditioner.clip(video, len(noise), windows, motion=motion))


def run(options: argparse.Namespace) -> tuple[dict[str, Tensor], dict[str, Any]]:
    scene, device, dtype = (
        json.loads(options.scene.read_text()),
        options.device,
        DTYPES[options.dtype],
    )
    inputs = {name: value.to(device, dtype) for name, value in load_file(options.inputs).items()}
    conditioner = lean_conditioner(options.weights, device, dtype)
    conditioner.denoiser.config = as_given(conditioner.config, scene)
    vae = load_vae(conditioner.config, options.vae).to(device, dtype) if options.vae else None
    ready = now(device)
    marks: list[float] = []
    counts, counting = Counts(), ExitStack()

    def on_step(step: Step) -> None:
        counting.close()  # after the first step, which warms up
        marks.append(now(device))

    solver = Solver(conditioner.denoiser, options.solver, scene["steps"], scene["cfg"], on_step=on_step)

    def solve(noise: Tensor, conditions: Conditions | Windows, clip: int = 0) -> Tensor:
        marks.append(now(device))
        counting.enter_context(counts)
        return solver(noise, conditions, clip)

    load_peak = peak_bytes(device)
    reset_peak(device)
    with torch.no_grad():
        portrait = inputs["portrait"] if vae is None else vae.encode(inputs["image"][None])
        latents = denoise(conditioner, inputs, portrait, solve)
        result = {"latents": latents.float().cpu()}
        if vae is not None:
            result = {"frames": decode_frames(vae, latents, 1).cpu().permute(0, 3, 1, 2).contiguous()}
    seconds = now(device) - ready
    times = [b - a for a, b in zip(marks, marks[1:], strict=False)]
    found = report(times, counts, seconds, load_peak, device)
    return result, found | {"keys": len(read_checkpoint(options.weights).tensors)}


def load_vae(config: EMOConfig, file: Path) -> VAE:
    with torch.device("meta"):
        vae = build_vae(config)
    vae.load_state_dict(load_file(file), assign=True)
    return vae.eval()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("weights", "inputs", "scene", "out", "report"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--vae", type=Path)
    parser.add_argument("--solver", default="ddim-diffusers")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result, found = run(options)
    save_file(result, options.out)
    options.report.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
