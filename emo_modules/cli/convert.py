"""`convert WEIGHTS OUT.safetensors`."""

import argparse
from pathlib import Path

from ..checkpoints.convert import convert
from ..families.family import SD15_TERMS
from ..precision import DTYPES


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "weights",
        type=Path,
        help="net.pth of Hallo, Hallo2 or JoyHallo, denoising_unet of EchoMimic or V-Express, or its folder",
    )
    parser.add_argument("output", type=Path, help="the file to write, .safetensors")
    parser.add_argument("--vae", type=Path, help="Stable Diffusion 1.5's VAE, to go into the file")
    parser.add_argument("--audio-encoder", type=Path, help="whisper-tiny or wav2vec2, to go into the file")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="default: as released")


def run(options: argparse.Namespace) -> None:
    dtype = DTYPES[options.dtype] if options.dtype else None
    made = convert(options.weights, options.output, options.vae, options.audio_encoder, dtype)
    print(f"{options.output}: {made.title}. Licence of the weights: {made.licence}. From {made.source}")
    print(f"They are {SD15_TERMS}")
