"""`evaluate videos GENERATED TRUE --out REPORT` and `evaluate shards SHARDS --out REPORT`."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.pipeline import Pipeline

from ..folder_lock import folder_in_use


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", required=True)
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


def _weight_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument(
        "--analyzer",
        default="cascade",
        help="cascade, tracker:FILE of train-tracker, or mediapipe:FILE for poses and expressions",
    )
    parser.add_argument("--inception", type=Path, help="inception-2015-12-05.pt, for FID; its code runs")
    parser.add_argument("--i3d", type=Path, help="i3d_torchscript.pt, for FVD; its code runs")
    parser.add_argument(
        "--syncnet", type=Path, help="syncnet_v2.model, or a file of train-syncnet, for LSE-C and LSE-D"
    )
    parser.add_argument("--identity", type=Path, help="SFace's onnx file, for identity similarity")
    parser.add_argument(
        "--reader", type=Path, help="a file of train-reader: identities and mouths of the faces that it knows"
    )
    parser.add_argument("--face-detector", type=Path, help="YuNet's onnx file, for SFace without MediaPipe")
    parser.add_argument("--device", default="cpu")


def run(options: argparse.Namespace) -> None:
    {"videos": _videos, "shards": _shards}[options.what](options)


def _videos(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "evaluate videos"):
        _report(options, options.generated, options.true)


def _shards(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "evaluate shards"):
        _generate_and_report(options)


def _generate_and_report(options: argparse.Namespace) -> None:
    from ..evaluation.generate import Denoising, generate_clips

    denoising = Denoising(options.steps, options.cfg, options.seed)
    pipeline = Pipeline.load(
        options.checkpoint, options.device, vae=options.vae, audio_encoder=options.audio_encoder
    )
    folders = generate_clips(
        options.shards, options.out, pipeline, str(options.checkpoint), denoising, options.clips, print
    )
    _report(options, *folders, checkpoint=str(options.checkpoint), **asdict(denoising))


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
        options.reader,
        options.device,
    )
    settings = {"generated": str(generated), "true": str(true), "analyzer": options.analyzer} | settings
    report = evaluate_videos(pairs, load_instruments(weights), settings, options.out, print)
    for figure in report.figures:
        value = figure.note if figure.value is None else f"{figure.value:.4g} {figure.unit}"
        print(f"{figure.metric}: {value}")
    print(f"{options.out / 'report.html'}")
