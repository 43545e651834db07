"""`render-pool --out DIR`: rendered people with their truth, which train-faces learns from."""

import argparse
from pathlib import Path

from emo_modules.writing.folder_lock import folder_in_use

from ..networks.pool_pictures import render_pool


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=2400)
    parser.add_argument("--views", type=int, default=5, help="pictures of each person")
    parser.add_argument("--seed", type=int, default=0, help="of poses and expressions")
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "render-pool"):
        render_pool(options.out, options.people, options.views, options.seed, options.workers)
    print(f"{options.out}: {options.people} people in {options.views} pictures each")
