"""`train-syncnet --mouths DIR --out FILE`: the small SyncNet, trained on what render-mouths made."""

import argparse
from pathlib import Path

from emo_modules.writing.place import check_file_place
from emo_training.perception.syncnet import save_syncnet

from ..networks.mouths import read_checks, read_mouths
from ..networks.syncnet import check_clips, train_syncnet


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mouths", type=Path, required=True, help="folder of render-mouths")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1400)


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    pool = read_mouths(options.mouths)
    net = train_syncnet(pool, options.seed, options.steps)
    who = f"{len(pool.pictures)} rendered people"
    notes = {"trained_on": f"{who}, {options.steps} steps, seed {options.seed}"}
    save_syncnet(net, options.out, notes, half=True)
    print(f"{options.out}: {check_clips(net, read_checks(options.mouths))}")
