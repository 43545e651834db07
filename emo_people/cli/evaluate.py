"""`evaluate --json FILE`: a model on drawn people and sentences it never saw."""

import argparse
import json
import time
from pathlib import Path

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.pipeline import Options, Pipeline
from emo_modules.schedule import SOLVERS
from emo_modules.writing.partial import write_text
from emo_modules.writing.place import check_file_place
from emo_training.perception.avatar_reader import load_reader

from ..evaluation.avatars import evaluate_avatars
from ..evaluation.subject import pipeline_subject
from ..networks.reader import WEIGHTS


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="another seed: other people and other sentences")
    parser.add_argument("--cases", "--clips", type=int, default=50, help="people and sentences")
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
    subject = pipeline_subject(pipeline, Options(**settings))
    report = evaluate_avatars(subject, load_reader(WEIGHTS), options.seed, options.cases, print)
    report["settings"] = settings | {"minutes": round((time.monotonic() - start) / 60, 1)}
    write_text(options.json, json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "per_case"}, indent=1))
