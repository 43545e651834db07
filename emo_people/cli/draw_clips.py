"""`draw-clips --out DIR`."""

import argparse
from pathlib import Path

from emo_training.folder_lock import folder_in_use

from ..avatar_clips import prepare


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=2000, help="one person and one sentence each")
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "draw-clips"):
        prepare(options.out, range(options.clips), options.workers)
    print(f"{options.out}: {options.clips} clips")
