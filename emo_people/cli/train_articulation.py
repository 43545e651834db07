"""`train-articulation`: what the built-in model begins to hear with, from speech without pictures."""

import argparse
from pathlib import Path

import torch

from emo_modules.writing.folder_lock import folder_in_use
from emo_modules.writing.place import check_file_place

from ..filming.seeds import HELD_OUT
from ..recipe.articulation import Articulation, HeardFrames, train_articulation, write_projection
from ..recipe.built_in import load_audio_encoder
from ..recipe.config import BUILT_IN
from ..recipe.spoken import read_spoken, speak_ahead


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--audio-encoder", type=Path, required=True, help="weights of the audio encoder")
    parser.add_argument(
        "--spoken", type=Path, required=True, help="folder of speech; what it lacks is spoken first"
    )
    parser.add_argument("--utterances", type=int, default=6000, help="to train on")
    parser.add_argument("--checked", type=int, default=200, help="utterances to check with")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training")
    parser.add_argument("--workers", type=int, default=2, help="processes that speak")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    encoder = load_audio_encoder(BUILT_IN, options.audio_encoder)
    with folder_in_use(options.spoken, "train-articulation"):
        seeds = range(options.utterances), range(HELD_OUT, HELD_OUT + options.checked)
        paths = [speak_ahead(options.spoken, part, options.workers) for part in seeds]
    encoder = encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    heard, held_out = (HeardFrames.of(read_spoken(part), encoder, BUILT_IN) for part in paths)
    articulator = train_articulation(BUILT_IN, heard, held_out, Articulation(options.minutes))
    write_projection(articulator, options.out)
    print(options.out)
