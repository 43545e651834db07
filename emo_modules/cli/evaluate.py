"""`evaluate avatars --seed N --clips K --json FILE`."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..evaluation.avatars import evaluate_avatars
from ..evaluation.clips import Subject
from ..evaluation.metrics import psnr
from ..evaluation.reader import load_reader
from ..media.face import Box
from ..pipeline import DEMO_CHECKPOINT, Options, Pipeline
from ..sampling.decode import decode_frames
from ..schedule import SOLVERS


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["avatars"])
    parser.add_argument("--seed", type=int, default=1, help="another seed: other people and other sentences")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--steps", type=int, help="default: as the checkpoint says")
    parser.add_argument("--cfg", type=float, help="default: as the checkpoint says")
    parser.add_argument("--solver", choices=sorted(SOLVERS), default="ddim")


def run(options: argparse.Namespace) -> None:
    start = time.monotonic()
    pipeline = Pipeline.load(options.checkpoint)
    settings = {"steps": options.steps, "cfg": options.cfg, "solver": options.solver}
    report = evaluate_avatars(subject(pipeline, settings), load_reader(), options.seed, options.clips, print)
    report["settings"] = settings | {"minutes": round((time.monotonic() - start) / 60, 1)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "per_clip"}, indent=1))


def subject(pipeline: Pipeline, settings: dict[str, Any]) -> Subject:
    """The pipeline behind the evaluation's view of a generator."""

    def generate(
        portrait: np.ndarray,
        waveform: np.ndarray,
        frames: int,
        head_speed: float | None,
        face_box: tuple[float, float, float, float],
        seed: int,
    ) -> tuple[np.ndarray, Tensor]:
        chosen = Options(seed=seed, head_speed=head_speed, box=Box(*face_box), **settings)
        prepared = pipeline.prepare(torch.from_numpy(portrait) / 255, chosen)
        latents = torch.cat(list(pipeline.latents(prepared, torch.from_numpy(waveform), frames, chosen)))
        return to_bytes(decode_frames(pipeline.vae, latents)), latents

    def without_speed(*case: Any) -> tuple[np.ndarray, Tensor]:
        portrait, waveform, frames, _, face_box, seed = case
        return generate(portrait, waveform, frames, None, face_box, seed)

    def encode(frames: np.ndarray) -> Tensor:
        with torch.no_grad():
            return pipeline.vae.encode(torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1)

    def vae_psnr(frames: np.ndarray) -> float:
        return psnr(frames, to_bytes(decode_frames(pipeline.vae, encode(frames))))

    return Subject(generate, encode, vae_psnr, without_speed)


def to_bytes(frames: Tensor) -> np.ndarray:
    return (frames * 255).round().byte().numpy()
