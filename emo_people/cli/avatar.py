"""`avatar --seed N --text T --voice V --out DIR`."""

import argparse
from pathlib import Path

from emo_training.folder_lock import folder_in_use

from ..filming.cases import write_case
from ..speech.voices import VOICES


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, required=True, help="the person; nobody that was trained on")
    parser.add_argument("--text", required=True, help="what they say")
    parser.add_argument("--voice", choices=VOICES, default="flite:slt")
    parser.add_argument("--out", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "avatar"):
        write_case(options.out, options.seed, options.text, options.voice)
    print(f"{options.out}: portrait.png, speech.wav, truth.mp4, truth.json")
