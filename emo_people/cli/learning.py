"""The options that every training on the pool of rendered people takes."""

import argparse
from pathlib import Path


def add_learning_options(parser: argparse.ArgumentParser, minutes: float) -> None:
    """minutes: of training, unless told otherwise."""
    parser.add_argument("--pool", type=Path, required=True, help="folder of rendered people")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--minutes", type=float, default=minutes, help="of training")
    parser.add_argument("--seed", type=int, default=0)


def add_start_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", type=Path, help="weights to go on from, as of a run that was cut short")
