"""`train-reader --out FILE`: the network that measures, trained on people of its own."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place
from emo_training.perception.avatar_reader import save_reader

from ..networks.reader import check_reader, train_reader


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=900)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    reader = train_reader(options.seed, options.steps)
    save_reader(reader, options.out)
    print(f"{options.out}: {check_reader(reader)}")
