"""`evaluate --json FILE`: a model on drawn people and sentences it never saw."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.cues.box import Box
from emo_modules.media.audio import Audio
from emo_modules.media.image import as_float_image, to_bytes, to_signed
from emo_modules.pipeline import Options, Pipeline
from emo_modules.sampling.decode import decode_frames
from emo_modules.schedule import SOLVERS
from emo_modules.writing.partial import write_text
from emo_modules.writing.place import check_file_place
from emo_training.evaluation.metrics import psnr
from emo_training.perception.face_reader import load_reader

from ..evaluation.avatars import evaluate_avatars
from ..evaluation.cases import Subject
from ..evaluation.framing import Framed, measure_framing
from ..networks.reader import WEIGHTS


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="another seed: other people and other sentences")
    parser.add_argument("--cases", type=int, default=50, help="people and sentences")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--steps", type=int, help="default: as the checkpoint says")
    parser.add_argument("--cfg", type=float, help="default: as the checkpoint says")
    parser.add_argument("--solver", choices=sorted(SOLVERS), default="ddim")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.json, (".json",))
    start = time.monotonic()
    pipeline = Pipeline.load(options.checkpoint)
    settings = {"steps": options.steps, "cfg": options.cfg, "solver": options.solver}
    reader = load_reader(WEIGHTS)
    report = evaluate_avatars(subject(pipeline, settings), reader, options.seed, options.cases, print)
    report["settings"] = settings | {"minutes": round((time.monotonic() - start) / 60, 1)}
    write_text(options.json, json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "per_case"}, indent=1))


def subject(pipeline: Pipeline, settings: dict[str, Any]) -> Subject:
    """The pipeline behind the evaluation's view of a generator."""

    def generate(
        portrait: np.ndarray,
        waveform: np.ndarray,
        frames: int,
        head_speed: float | None,
        seed: int,
    ) -> tuple[np.ndarray, Tensor]:
        chosen = Options(seed=seed, head_speed=head_speed, **settings)
        prepared = pipeline.prepare(as_float_image(portrait), chosen)
        latents = torch.cat(
            list(pipeline.latents(prepared, Audio(torch.from_numpy(waveform)), frames, chosen))
        )
        return to_bytes(decode_frames(pipeline.vae, latents)).numpy(), latents

    def without_speed(*case: Any) -> tuple[np.ndarray, Tensor]:
        portrait, waveform, frames, _, seed = case
        return generate(portrait, waveform, frames, None, seed)

    def frame(portrait: np.ndarray, true_face: Box) -> Framed:
        prepared = pipeline.prepare(as_float_image(portrait), Options())
        return measure_framing(prepared.crop, prepared.found.found, true_face, pipeline.config.framing)

    def encode(frames: np.ndarray) -> Tensor:
        with torch.no_grad():
            return pipeline.vae.encode(to_signed(torch.from_numpy(frames)))

    def vae_psnr(frames: np.ndarray) -> float:
        return psnr(frames, to_bytes(decode_frames(pipeline.vae, encode(frames))).numpy())

    return Subject(generate, encode, vae_psnr, without_speed, frame)
