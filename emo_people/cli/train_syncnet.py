"""`train-syncnet --out FILE`: the small SyncNet for drawn faces, trained on people of its own."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place
from emo_training.perception.syncnet import save_syncnet

from ..filming.seeds import SYNCNET
from ..networks.syncnet import SyncSamples, check_syncnet, train_syncnet


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--samples",
        "--clips",
        type=int,
        default=1200,
        help="people to draw, for four seconds each (default: 1200)",
    )
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw (default: 2)")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    pool = SyncSamples.draw(range(SYNCNET, SYNCNET + options.samples), options.workers)
    net = train_syncnet(pool, options.seed, options.steps)
    notes = {"trained_on": f"{options.samples} drawn avatars, {options.steps} steps, seed {options.seed}"}
    save_syncnet(net, options.out, notes)
    print(f"{options.out}: {check_syncnet(net)}")
