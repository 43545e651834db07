"""`train-vae --pool DIR --out FILE`: the built-in model's autoencoder."""

import argparse
from pathlib import Path

import torch

from emo_modules.writing.place import check_file_place

from ..networks.fit import write_weights
from ..networks.pool import Pool
from ..recipe.config import BUILT_IN
from ..recipe.decoder import DecoderTraining, make_vae
from ..recipe.decoder_figures import measure_decoder

CHECKED = 200  # pictures of people who are not trained on


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", type=Path, required=True, help="folder of rendered people")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--minutes", type=float, default=240.0, help="of training")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pool, unseen = Pool.read(options.pool).split()
    vae = make_vae(BUILT_IN, pool, DecoderTraining(options.minutes), device)
    write_weights(vae, options.out)
    pictures, landmarks = (torch.from_numpy(part[:CHECKED]) for part in (unseen.picture, unseen.landmarks))
    print(f"{options.out}: {measure_decoder(vae, pictures.to(device), landmarks)}")
