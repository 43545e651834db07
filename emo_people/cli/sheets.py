"""`sheets --out DIR`."""

import argparse
from pathlib import Path

from emo_modules.writing.pictures import save_picture

from ..filming.sheets import light_sheet, people_sheet, viseme_sheet
from ..people.person import random_person


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="of the first person")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--out", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    from ..rendering.studio import Studio

    studio, person = Studio(), random_person(options.seed)
    sheets = {
        "people": people_sheet(studio, range(options.seed, options.seed + options.people)),
        "visemes": viseme_sheet(studio, person),
        "light": light_sheet(studio, person, range(6)),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, sheet in sheets.items():
        save_picture(options.out / f"{name}.png", sheet)
    print(f"{options.out}: {', '.join(f'{name}.png' for name in sheets)}")
