"""`prepare FOOTAGE SHARDS`."""

import argparse
import logging
from pathlib import Path
from typing import Any

from ..folder_lock import folder_in_use
from ..footage.config import PrepareConfig
from ..footage.engine import Engine, pack_footage, prepare_footage
from ..footage.shots import SHOT_FINDERS

_log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    default = PrepareConfig()
    parser.add_argument("footage", type=Path, help="folder of videos, one sub-folder for each person")
    parser.add_argument("shards", type=Path, help="folder for the shards; the same command resumes there")
    parser.add_argument(
        "--analyzer",
        default=default.analyzer,
        help="cascade, tracker:FILE of train-tracker, or mediapipe:FILE",
    )
    parser.add_argument("--syncnet", type=Path, help="SyncNet's weights; without them sync is not looked at")
    parser.add_argument("--without-sound", action="store_true", help="pictures alone, for stage 1")
    parser.add_argument("--shots", choices=SHOT_FINDERS, default=default.shots)
    parser.add_argument("--size", type=int, default=default.size, help="pixels of the stored square")
    parser.add_argument("--min-seconds", type=float, default=default.min_seconds)
    parser.add_argument("--max-seconds", type=float, default=default.max_seconds)
    parser.add_argument(
        "--smallest-face", type=float, default=default.smallest_face, help="height in pixels of the source"
    )
    parser.add_argument("--crop-factor", type=float, default=default.crop_factor, help="times the face's box")
    parser.add_argument("--min-confidence", type=float, help="of SyncNet, whose file knows its own")
    parser.add_argument("--max-offset", type=int, default=default.max_offset, help="frames, of sound")
    parser.add_argument("--min-sharpness", type=float, default=default.min_sharpness)
    parser.add_argument("--test-share", type=float, default=default.test_share, help="of the identities")
    parser.add_argument("--shard-mb", type=float, default=default.shard_size / 1e6)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each")
    work = parser.add_mutually_exclusive_group()
    work.add_argument("--part", metavar="I/N", help="prepare only this share of the files, 0/N to N-1/N")
    work.add_argument("--pack", action="store_true", help="only pack, after all parts have been prepared")


def run(options: argparse.Namespace) -> None:
    config = PrepareConfig(
        analyzer=options.analyzer,
        syncnet=str(options.syncnet.resolve()) if options.syncnet else None,
        sound=not options.without_sound,
        shots=options.shots,
        size=options.size,
        min_seconds=options.min_seconds,
        max_seconds=options.max_seconds,
        smallest_face=options.smallest_face,
        crop_factor=options.crop_factor,
        min_confidence=options.min_confidence,
        max_offset=options.max_offset,
        min_sharpness=options.min_sharpness,
        test_share=options.test_share,
        shard_size=round(options.shard_mb * 1e6),
    )
    share = _share(options.part) if options.part else None
    engine = Engine(options.engine, options.workers)
    run = f"prepare --part {options.part}" if share else "prepare"
    with folder_in_use(options.shards, run, "-of-".join(map(str, share)) if share else None):
        if options.pack:
            summary = pack_footage(options.footage, options.shards, config)
        else:
            summary = prepare_footage(options.footage, options.shards, config, engine, share)
    if summary:
        _tell(summary, options.shards)


def _share(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise ValueError(f"--part takes I/N, such as 0/8, got {text!r}")
    return int(index), int(count)


def _tell(summary: dict[str, Any], shards: Path) -> None:
    _log.info("%s sources, %.2f h of footage", summary["sources"], summary["hours_in"])
    for cause, figures in summary["dropped"].items():
        _log.info("  dropped %.3f h in %d spans, %s", figures["hours"], figures["spans"], cause)
    print(f"{shards}: {summary['clips']} clips, {summary['hours_out']:.3f} h; dropped.jsonl lists the rest")
