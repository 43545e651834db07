"""`train-demo --out DIR`: the one command that reproduces the built-in model."""

import argparse
from pathlib import Path

from emo_training.folder_lock import folder_in_use

from ..recipe.demo import DemoRecipe, make_demo


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, help="data, states and the checkpoint; resumes what is there"
    )


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "train-demo"):
        for path in make_demo(options.out, DemoRecipe()):
            print(path)
