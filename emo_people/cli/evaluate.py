"""`evaluate --json FILE`: a model on people and sentences it never saw."""

import argparse
import json
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emo_modules.checkpoints.store import DEMO_CHECKPOINT
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.schedule import SOLVERS
from emo_modules.writing.partial import write_text
from emo_modules.writing.pictures import save_picture
from emo_modules.writing.place import check_file_place
from emo_training.perception.face_identity import WEIGHTS, load_identity
from emo_training.perception.faces import PeopleAnalyzer

from ..evaluation.judge import Judge
from ..evaluation.people import Scope, evaluate_people
from ..evaluation.person_films import animate_with, without_speed_layers


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="another seed: other people and other sentences")
    parser.add_argument("--cases", "--clips", type=int, default=Scope.cases, help="people and sentences")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go; a sheet lies beside")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--steps", type=int, help="default: as the checkpoint says")
    parser.add_argument("--cfg", type=float, help="default: as the checkpoint says")
    parser.add_argument("--solver", choices=sorted(SOLVERS), help="default: as the checkpoint says")
    parser.add_argument(
        "--folder", type=Path, help="keeps cases and films; cases that are there are not drawn again"
    )
    parser.add_argument(
        "--portraits", type=int, default=100, help="among which a face must be found, 0 for no likeness"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--speed-people", type=int, default=3, help="at six head speeds each")
    parser.add_argument("--long", type=float, default=60.0, help="seconds of long sound, 0 for none")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.json, (".json",))
    start = time.monotonic()
    pipeline = Pipeline.load(options.checkpoint)
    settings = {"steps": options.steps, "cfg": options.cfg, "solver": options.solver}
    chosen = Options(**settings)
    report = _judge_people(pipeline, chosen, options)
    report["checkpoint"] = options.checkpoint.name
    report["settings"] = settings | {"minutes": round((time.monotonic() - start) / 60, 1)}
    write_text(options.json, json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "per_case"}, indent=1))


def _judge_people(pipeline: Pipeline, chosen: Options, options: argparse.Namespace) -> dict[str, Any]:
    scope = Scope(
        seed=options.seed,
        cases=options.cases,
        speed_people=options.speed_people,
        long_seconds=options.long,
        portraits=options.portraits,
        workers=options.workers,
    )
    embedder = load_identity(WEIGHTS) if options.portraits else None
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(TemporaryDirectory()))
        judge = Judge(
            animate_with(pipeline, chosen),
            animate_with(without_speed_layers(pipeline), chosen),
            pipeline.config.clip_frames,
            PeopleAnalyzer.load(),
            folder / "cases",
            folder / "films" / options.checkpoint.stem,
            print,
        )
        report, sheet = evaluate_people(judge, scope, embedder)
    save_picture(options.json.with_suffix(".png"), sheet)
    return report
