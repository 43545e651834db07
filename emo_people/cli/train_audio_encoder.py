"""`train-audio-encoder --out FILE`: what the built-in model hears with, from speech in many languages."""

import argparse
from pathlib import Path

import torch

from emo_modules.writing.folder_lock import folder_in_use
from emo_modules.writing.place import check_file_place

from ..recipe.config import AUDIO
from ..recipe.listening import Listening, train_listening
from ..recipe.sounds import files_ahead, read_sounds, speak_ahead


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument(
        "--sounds", type=Path, required=True, help="folder of speech; what it lacks is spoken first"
    )
    parser.add_argument(
        "--utterances", type=int, default=8000, help="to train on, a tenth in recorded voices"
    )
    parser.add_argument("--checked", type=int, default=100, help="utterances to check with")
    parser.add_argument("--minutes", type=float, default=120.0, help="of training")
    parser.add_argument("--workers", type=int, default=2, help="processes that speak")


def run(options: argparse.Namespace) -> None:
    check_file_place(options.out, (".safetensors",))
    counts = {"check": options.checked, "recorded": options.utterances // 10, "sounds": options.utterances}
    with folder_in_use(options.sounds, "train-audio-encoder"):
        for name, count in counts.items():
            speak_ahead(options.sounds, name, count, options.workers)
        held_out = list(read_sounds(files_ahead(options.sounds, "check")))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        training = Listening(options.minutes)
        train_listening(AUDIO, options.sounds, held_out, options.out, training, device=device)
    print(options.out)
