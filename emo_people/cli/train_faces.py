"""`train-faces --pool DIR --out FILE`: the network that finds people's faces."""

import argparse

from emo_modules.writing.place import check_file_place

from ..networks.faces import train_faces
from .learning import add_learning_options, add_start_option


def add_options(parser: argparse.ArgumentParser) -> None:
    add_learning_options(parser, minutes=55.0)
    add_start_option(parser)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    train_faces(options.pool, options.out, options.minutes, options.seed, options.start)
    print(options.out)
