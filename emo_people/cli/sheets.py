"""`sheets --out DIR`."""

import argparse
from pathlib import Path

from emo_modules.writing.folder_lock import folder_in_use
from emo_modules.writing.pictures import save_picture

from ..filming.sheets import light_sheet, people_sheet, viseme_sheet
from ..people.person import random_person


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="of the first person")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--out", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "sheets"):
        _write(options.out, options.seed, options.people)


def _write(folder: Path, seed: int, people: int) -> None:
    from ..rendering.studio import Studio

    studio, person = Studio(), random_person(seed)
    sheets = {
        "people": people_sheet(studio, range(seed, seed + people)),
        "visemes": viseme_sheet(studio, person),
        "light": light_sheet(studio, person, range(6)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in sheets.items():
        save_picture(folder / f"{name}.png", sheet)
    print(f"{folder}: {', '.join(f'{name}.png' for name in sheets)}")
