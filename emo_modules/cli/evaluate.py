"""`evaluate avatars --json FILE`, `evaluate videos GENERATED TRUE --out REPORT` and `evaluate shards SHARDS
--out REPORT`."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..cues.box import Box
from ..evaluation.avatars import evaluate_avatars
from ..evaluation.clips import Subject
from ..evaluation.framing import Framed, measure_framing
from ..evaluation.metrics import psnr
from ..evaluation.reader import load_reader
from ..pipeline import DEMO_CHECKPOINT, Options, Pipeline
from ..sampling.decode import decode_frames
from ..schedule import SOLVERS
from ..writing.folder import folder_in_use
from ..writing.partial import write_text
from ..writing.place import check_file_place


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", required=True)
    _avatar_options(kinds.add_parser("avatars", help="the demo model on drawn people it never saw"))
    videos = kinds.add_parser("videos", help="folders of generated and true videos, paired by name")
    videos.add_argument("generated", type=Path)
    videos.add_argument("true", type=Path)
    _weight_options(videos)
    shards = kinds.add_parser("shards", help="a model on the held-out clips of prepared shards")
    shards.add_argument("shards", type=Path)
    shards.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    shards.add_argument("--clips", type=int, help="only the first so many clips")
    shards.add_argument("--seed", type=int, default=0)
    shards.add_argument("--steps", type=int, help="default: as the checkpoint says")
    shards.add_argument("--cfg", type=float, help="default: as the checkpoint says")
    shards.add_argument("--vae", type=Path, help="for checkpoints without one")
    shards.add_argument("--audio-encoder", type=Path, help="for checkpoints without one")
    _weight_options(shards)


def _avatar_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="another seed: other people and other sentences")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--steps", type=int, help="default: as the checkpoint says")
    parser.add_argument("--cfg", type=float, help="default: as the checkpoint says")
    parser.add_argument("--solver", choices=sorted(SOLVERS), default="ddim")


def _weight_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument(
        "--analyzer", default="cascade", help="cascade, avatars, or mediapipe:FILE for poses and expressions"
    )
    parser.add_argument("--inception", type=Path, help="inception-2015-12-05.pt, for FID; its code runs")
    parser.add_argument("--i3d", type=Path, help="i3d_torchscript.pt, for FVD; its code runs")
    parser.add_argument("--syncnet", help="syncnet_v2.model, or avatars, for LSE-C and LSE-D")
    parser.add_argument("--identity", help="SFace's onnx file, or avatars, for identity similarity")
    parser.add_argument("--face-detector", type=Path, help="YuNet's onnx file, for SFace without MediaPipe")
    parser.add_argument("--device", default="cpu")


def run(options: argparse.Namespace) -> None:
    {"avatars": _avatars, "videos": _videos, "shards": _shards}[options.what](options)


def _videos(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "evaluate videos"):
        _report(options, options.generated, options.true)


def _shards(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "evaluate shards"):
        _generate_and_report(options)


def _generate_and_report(options: argparse.Namespace) -> None:
    from ..evaluation.generate import Sampling, generate_clips

    sampling = Sampling(options.steps, options.cfg, options.seed)
    pipeline = Pipeline.load(
        options.checkpoint, options.device, vae=options.vae, audio_encoder=options.audio_encoder
    )
    folders = generate_clips(
        options.shards, options.out, pipeline, str(options.checkpoint), sampling, options.clips, print
    )
    _report(options, *folders, checkpoint=str(options.checkpoint), **asdict(sampling))


def _report(options: argparse.Namespace, generated: Path, true: Path, **settings: Any) -> None:
    # Only here: the analysers' libraries are not installed with the package.
    from ..evaluation.instruments import Weights, load_instruments
    from ..evaluation.pairs import find_pairs
    from ..evaluation.report import evaluate_videos

    pairs = find_pairs(generated, true)
    weights = Weights(
        options.analyzer,
        options.inception,
        options.i3d,
        options.syncnet,
        options.identity,
        options.face_detector,
        options.device,
    )
    settings = {"generated": str(generated), "true": str(true), "analyzer": options.analyzer} | settings
    report = evaluate_videos(pairs, load_instruments(weights), settings, options.out, print)
    for figure in report.figures:
        value = figure.note if figure.value is None else f"{figure.value:.4g} {figure.unit}"
        print(f"{figure.metric}: {value}")
    print(f"{options.out / 'report.html'}")


def _avatars(options: argparse.Namespace) -> None:
    check_file_place(options.json, (".json",))
    start = time.monotonic()
    pipeline = Pipeline.load(options.checkpoint)
    settings = {"steps": options.steps, "cfg": options.cfg, "solver": options.solver}
    report = evaluate_avatars(subject(pipeline, settings), load_reader(), options.seed, options.clips, print)
    report["settings"] = settings | {"minutes": round((time.monotonic() - start) / 60, 1)}
    write_text(options.json, json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "per_clip"}, indent=1))


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
        prepared = pipeline.prepare(torch.from_numpy(portrait) / 255, chosen)
        latents = torch.cat(list(pipeline.latents(prepared, torch.from_numpy(waveform), frames, chosen)))
        return to_bytes(decode_frames(pipeline.vae, latents)), latents

    def without_speed(*case: Any) -> tuple[np.ndarray, Tensor]:
        portrait, waveform, frames, _, seed = case
        return generate(portrait, waveform, frames, None, seed)

    def frame(portrait: np.ndarray, true_face: Box) -> Framed:
        prepared = pipeline.prepare(torch.from_numpy(portrait) / 255, Options())
        return measure_framing(prepared.crop, prepared.found.found, true_face, pipeline.config.framing)

    def encode(frames: np.ndarray) -> Tensor:
        with torch.no_grad():
            return pipeline.vae.encode(torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1)

    def vae_psnr(frames: np.ndarray) -> float:
        return psnr(frames, to_bytes(decode_frames(pipeline.vae, encode(frames))))

    return Subject(generate, encode, vae_psnr, without_speed, frame)


def to_bytes(frames: Tensor) -> np.ndarray:
    return (frames * 255).round().byte().numpy()
