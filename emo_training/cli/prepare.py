"""`prepare FOOTAGE SHARDS`."""

import argparse
import logging
from pathlib import Path
from typing import Any

from emo_modules.cli.options import add_field_options, field_values
from emo_modules.writing.folder_lock import folder_in_use

from ..footage.advice import explain_nothing, say_time, warn
from ..footage.config import PrepareConfig
from ..footage.engine import Engine, pack_footage, prepare_footage

_log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("footage", type=Path, help="folder of videos, one sub-folder for each person")
    parser.add_argument("shards", type=Path, help="folder for the shards; the same command resumes there")
    add_field_options(parser, PrepareConfig)
    parser.add_argument("--shard-mb", type=float, default=PrepareConfig.shard_size / 1e6)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each")
    work = parser.add_mutually_exclusive_group()
    work.add_argument("--part", metavar="I/N", help="prepare only this share of the files, 0/N to N-1/N")
    work.add_argument("--pack", action="store_true", help="only pack, after all parts have been prepared")


def run(options: argparse.Namespace) -> None:
    given = field_values(PrepareConfig, options)
    for name in ("syncnet", "split_list"):
        if name in given:
            given[name] = str(Path(given[name]).resolve())
    config = PrepareConfig(**given, shard_size=round(options.shard_mb * 1e6))
    share = _share(options.part) if options.part else None
    engine = Engine(options.engine, options.workers)
    run = f"prepare --part {options.part}" if share else "prepare"
    with folder_in_use(options.shards, run, "-of-".join(map(str, share)) if share else None):
        summary: dict[str, Any] | None
        if options.pack:
            summary = pack_footage(options.footage, options.shards, config)
        else:
            summary = prepare_footage(options.footage, options.shards, config, engine, share)
    if summary:
        _report(options.shards, summary)


def _report(shards: Path, summary: dict[str, Any]) -> None:
    """Raises ValueError with what to do when no sample came out."""
    _log.info("%s sources, %s of footage", summary["sources"], say_time(summary["hours_in"]))
    for cause, figures in summary["dropped"].items():
        _log.info("  dropped %s in %d spans, %s", say_time(figures["hours"]), figures["spans"], cause)
    if not summary["clips"]:
        raise ValueError(explain_nothing(shards, summary))
    for warning in warn(shards, summary):
        _log.warning("%s", warning)
    people = summary["people"]
    kept = f"{summary['clips']} samples, {say_time(summary['hours_out'])}"
    held_out = f"{people['test']} of {sum(people.values())} people are held out"
    print(f"{shards}: {kept}; {held_out}; dropped.jsonl lists the rest")


def _share(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise ValueError(f"--part takes I/N, such as 0/8, got {text!r}")
    return int(index), int(count)
