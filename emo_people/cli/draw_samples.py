"""`draw-samples --out DIR`."""

import argparse
from pathlib import Path

from emo_training.folder_lock import folder_in_use

from ..filming.samples import draw_samples


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=2000, help="one person and one sentence each")
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "draw-samples"):
        draw_samples(options.out, range(options.samples), options.workers)
    print(f"{options.out}: {options.samples} samples")
