"""`evaluate videos GENERATED TRUE --out REPORT` and `evaluate shards SHARDS --out REPORT`."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.cli.options import add_field_options, field_values
from emo_modules.pipeline import Pipeline
from emo_modules.writing.folder_lock import folder_in_use

from ..evaluation.figures import Figure
from ..evaluation.generate import PEOPLE, Denoising, generate_videos
from ..evaluation.instruments import Weights, load_instruments
from ..evaluation.page import number
from ..evaluation.pairs import find_pairs
from ..evaluation.protocol import Protocol
from ..evaluation.report import evaluate_videos


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", required=True)
    videos = kinds.add_parser("videos", help="folders of generated and true videos, paired by name")
    videos.add_argument("generated", type=Path)
    videos.add_argument("true", type=Path)
    shards = kinds.add_parser("shards", help="a model on the held-out samples of prepared shards")
    shards.add_argument("shards", type=Path)
    shards.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    shards.add_argument("--samples", "--clips", type=int, help="only the first so many")
    add_field_options(shards, Denoising)
    shards.add_argument("--vae", type=Path, help="for checkpoints without one")
    shards.add_argument("--audio-encoder", type=Path, help="for checkpoints without one")
    for kind in (videos, shards):
        kind.add_argument("--out", type=Path, required=True, help="folder of the report")
        add_field_options(kind, Protocol)
        add_field_options(kind, Weights)
        kind.add_argument("--device", default="cpu")


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, f"evaluate {options.what}"):
        if options.what == "videos":
            _report(options, options.generated, options.true)
        else:
            _generate_and_report(options)


def _generate_and_report(options: argparse.Namespace) -> None:
    checkpoint, denoising = str(options.checkpoint), Denoising(**field_values(Denoising, options))
    pipeline = Pipeline.load(
        options.checkpoint, options.device, vae=options.vae, audio_encoder=options.audio_encoder
    )
    folders = generate_videos(
        options.shards, options.out, pipeline, checkpoint, denoising, options.samples, print
    )
    options.people = options.people or options.out / PEOPLE
    _report(options, *folders, checkpoint=checkpoint, **asdict(denoising))


def _report(options: argparse.Namespace, generated: Path, true: Path, **settings: Any) -> None:
    protocol = Protocol(**field_values(Protocol, options))
    pairs = find_pairs(generated, true, protocol)
    weights = Weights(**field_values(Weights, options), device=options.device)
    settings = {"generated": str(generated), "true": str(true), "looked at": str(protocol)} | settings
    settings |= {"analyzer": weights.analyzer}
    report = evaluate_videos(pairs, load_instruments(weights), settings, options.out, print)
    for figure in report.figures:
        print(f"{figure.metric}: {_value(figure)}")
    print(f"{options.out / 'report.html'}")


def _value(figure: Figure) -> str:
    if figure.value is None:
        return figure.note
    ends = figure.interval and f"({number(figure.interval[0])} to {number(figure.interval[1])})"
    return " ".join(filter(None, (number(figure.value), figure.unit, ends)))
