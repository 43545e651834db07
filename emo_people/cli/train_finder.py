"""`train-finder --out FILE`: the network that detection asks for drawn faces."""

import argparse
from pathlib import Path

import torch

from emo_modules.writing.place import check_file_place

from ..networks.finder import train_finder
from ..networks.fit import write_weights


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    write_weights(train_finder(options.seed), options.out, torch.half)
    print(options.out)
