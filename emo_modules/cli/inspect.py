"""`inspect SHARD -o PNG`."""

import argparse
from itertools import islice
from pathlib import Path

from ..footage.contact_sheet import contact_sheet
from ..footage.shards import read_samples


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shard", type=Path, help="one .tar of `prepare`")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--first", type=int, default=0, help="number of the first clip to show")
    parser.add_argument("--clips", type=int, default=12, help="how many to show")


def run(options: argparse.Namespace) -> None:
    samples = islice(read_samples(options.shard), options.first, options.first + options.clips)
    sheet = contact_sheet(samples)
    sheet.save(options.output)
    print(f"{options.output}: {sheet.width}x{sheet.height}")
