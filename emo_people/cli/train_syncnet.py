"""`train-syncnet --out FILE`: the small SyncNet for drawn faces, trained on people of its own, or with
`--mouths DIR` the one for photographed faces, trained on what render-mouths made."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place
from emo_training.perception.syncnet import save_syncnet

from ..filming.seeds import SYNCNET
from ..networks.mouths import read_checks, read_mouths
from ..networks.syncnet import (
    PHOTOGRAPHED,
    SHAPE,
    SyncSamples,
    check_clips,
    check_syncnet,
    train_syncnet,
)


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
    parser.add_argument("--mouths", type=Path, help="folder of render-mouths, instead of drawing people")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw (default: 2)")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    if options.mouths:
        pool, shape = read_mouths(options.mouths), PHOTOGRAPHED
    else:
        seeds = range(SYNCNET, SYNCNET + options.samples)
        pool, shape = SyncSamples.draw(seeds, options.workers), SHAPE
    net = train_syncnet(pool, options.seed, options.steps, shape=shape)
    who = f"{len(pool.pictures)} {'rendered people' if options.mouths else 'drawn avatars'}"
    notes = {"trained_on": f"{who}, {options.steps} steps, seed {options.seed}"}
    save_syncnet(net, options.out, notes, half=bool(options.mouths))
    found = check_clips(net, read_checks(options.mouths)) if options.mouths else check_syncnet(net)
    print(f"{options.out}: {found}")
