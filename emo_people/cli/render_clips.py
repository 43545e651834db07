"""`render-clips --out DIR`: rendered people who speak, which the built-in model trains on."""

import argparse
from pathlib import Path

from emo_modules.writing.folder_lock import folder_in_use

from ..filming.clips import render_clips


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="seed of the first person")
    parser.add_argument("--people", type=int, default=2000, help="in one short clip each")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "render-clips"):
        render_clips(options.out, range(options.first, options.first + options.people), options.workers)
    print(f"{options.out}: {options.people} people")
