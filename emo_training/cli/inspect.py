"""`inspect SHARD -o PNG`."""

import argparse
from itertools import islice
from pathlib import Path

from emo_modules.writing.pictures import SUFFIXES, save_picture
from emo_modules.writing.place import check_file_place

from ..footage.contact_sheet import contact_sheet
from ..footage.shards import read_samples


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shard", type=Path, help="one .tar of `prepare`")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--first", type=int, default=0, help="number of the first sample to show")
    parser.add_argument("--samples", "--clips", type=int, default=12, help="how many to show")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.output, SUFFIXES)
    samples = islice(read_samples(options.shard), options.first, options.first + options.samples)
    sheet = contact_sheet(samples)
    save_picture(options.output, sheet)
    print(f"{options.output}: {sheet.width}x{sheet.height}")
