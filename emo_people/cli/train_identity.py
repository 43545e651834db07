"""`train-identity --pool DIR --out FILE`: the face embedding that tells people in photographs apart."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place

from ..networks.identity import train_identity


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", type=Path, required=True, help="folder of rendered people")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--minutes", type=float, default=12.0, help="of training")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    train_identity(options.pool, options.out, options.minutes, options.seed)
    print(options.out)
