"""`train-face-reader --pool DIR --out FILE`: the networks that read people's faces."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place

from ..networks.face_reading import train_face_reader


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", type=Path, required=True, help="folder of rendered people")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--minutes", type=float, default=20.0, help="of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to go on from, as of a run that was cut short")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    train_face_reader(options.pool, options.out, options.minutes, options.seed, options.start)
    print(options.out)
