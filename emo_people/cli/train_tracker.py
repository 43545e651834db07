"""`train-tracker --out FILE`: the networks that follow drawn faces in footage, and how well they do."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place
from emo_training.perception.tracker import save_tracker

from ..networks.tracker import check_tracker, train_tracker


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=3000, help="drawn to learn from")
    parser.add_argument("--steps", type=int, default=1400)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    tracker = train_tracker(options.seed, options.people, steps=options.steps)
    save_tracker(tracker, options.out)
    print(f"{options.out}: {check_tracker(tracker)}")
