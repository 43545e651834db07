"""`clips`: how much room finished clips take, and `clips --empty`."""

import argparse
from pathlib import Path

from ..sampling.clip_store import ClipStore, default_folder


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clips", type=Path, default=default_folder(), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument("--empty", action="store_true", help="remove them all")


def run(options: argparse.Namespace) -> None:
    store = ClipStore(options.clips)
    count, size = store.empty() if options.empty else store.size()
    done = "removed from" if options.empty else "in"
    print(f"{count} finished clips, {size / 1e6:.0f} MB, {done} {store.folder}")
