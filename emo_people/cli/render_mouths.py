"""`render-mouths --out DIR`: rendered people who speak, which train-syncnet learns from."""

import argparse
from pathlib import Path

from emo_modules.writing.folder_lock import folder_in_use

from ..networks.mouths import render_mouths


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=1000, help="to train on, in one short clip each")
    parser.add_argument("--checked", type=int, default=50, help="people to check with")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "render-mouths"):
        render_mouths(options.out, options.people, options.checked, options.workers)
    print(f"{options.out}: {options.people} people to train on, {options.checked} to check with")
