"""`train-reader --out FILE`: the network that measures, trained on people of its own."""

import argparse
from pathlib import Path

from ..evaluation.reader import save_reader
from ..evaluation.reader_training import check_reader, train_reader
from ..writing.place import check_file_place


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=900)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    reader = train_reader(options.seed, options.steps)
    save_reader(reader, options.out)
    print(f"{options.out}: {check_reader(reader)}")
