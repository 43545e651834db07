"""`render JOBS.csv --out DIR`."""

import argparse
import logging
from functools import partial
from pathlib import Path

from ..jobs.job import Broken, check_rows
from ..jobs.job_file import read_rows
from ..jobs.local_engine import local_devices, render_locally
from ..jobs.ray_engine import render_with_ray
from ..jobs.report import NAME, Report
from ..jobs.run import Engine, render_jobs
from ..model_choice import ModelChoice
from ..writing.folder_lock import folder_in_use
from .options import add_field_options, field_values

_log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", type=Path, help=".csv or .jsonl: portrait, audio and options of each film")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for films and report; the same command resumes there"
    )
    parser.add_argument(
        "--skip-broken", action="store_true", help="render the good rows, and list the broken ones as failed"
    )
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument(
        "--device",
        nargs="+",
        help="one or more; default: all GPUs, else cpu; Ray is told cpu or nothing",
    )
    parser.add_argument("--workers", type=int, help="processes, each with a model; default: one a device")
    add_field_options(parser, ModelChoice)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "render"):
        report = _render(options)
    print(f"{options.out}: {report}")
    if report.failed:
        raise ValueError(
            f"{len(report.failed)} of {report.jobs} jobs failed, and {options.out / NAME} says why: the same "
            "command tries them again"
        )


def _render(options: argparse.Namespace) -> Report:
    model = ModelChoice(**field_values(ModelChoice, options)).absolute()
    engine = _engine(options, model)
    rows = read_rows(options.jobs)
    jobs, broken = check_rows(rows, options.jobs.parent, options.out, model)
    if broken and not options.skip_broken:
        raise ValueError(
            f"{len(broken)} of {len(rows)} rows of {options.jobs} cannot be rendered: mend them, or render "
            f"the rest with --skip-broken\n{_listed(broken)}"
        )
    try:
        return render_jobs(jobs, broken, options.out, engine)
    except KeyboardInterrupt:
        _log.warning("stopped: finished films stay, and the same command goes on from here")
        raise


def _engine(options: argparse.Namespace, model: ModelChoice) -> Engine:
    """Raises ValueError for devices and workers that cannot be."""
    if options.workers is not None and options.workers < 1:
        raise ValueError(f"rendering takes at least 1 worker, got {options.workers}")
    if options.engine == "local":
        devices = local_devices(options.device, options.workers)
        return partial(render_locally, model=model, devices=devices)
    if options.device not in (None, ["cpu"]):
        raise ValueError("Ray gives out the GPUs itself: leave --device away, or say --device cpu")
    return partial(render_with_ray, model=model, workers=options.workers, on_cpus=options.device is not None)


def _listed(broken: list[Broken]) -> str:
    return "\n".join(f"row {row.row}: {row.reason}" for row in broken)
