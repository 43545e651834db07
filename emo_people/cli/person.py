"""`person --seed N --text T --voice V --out DIR`."""

import argparse
from pathlib import Path

from emo_modules.cli.options import add_field_options, field_values
from emo_modules.writing.folder_lock import folder_in_use

from ..filming.take import Direction, rehearse, write_take


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, required=True, help="who it is")
    parser.add_argument("--text", required=True, help="what they say")
    add_field_options(parser, Direction)
    parser.add_argument("--out", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    direction = Direction(options.seed, options.text, **field_values(Direction, options))
    with folder_in_use(options.out, "person"):
        take = rehearse(direction)
        # After the speech: see `rendering.stage.Stage`.
        from ..rendering.studio import Studio

        write_take(options.out, direction, take, Studio())
    print(f"{options.out}: portrait.png, speech.wav, truth.mp4, truth.json")
