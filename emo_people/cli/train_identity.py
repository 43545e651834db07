"""`train-identity --pool DIR --out FILE`: the face embedding that tells people in photographs apart."""

import argparse

from emo_modules.writing.place import check_file_place

from ..networks.identity import train_identity
from .learning import add_learning_options


def add_options(parser: argparse.ArgumentParser) -> None:
    add_learning_options(parser, minutes=15.0)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    train_identity(options.pool, options.out, options.minutes, options.seed)
    print(options.out)
