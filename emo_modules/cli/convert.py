"""`convert WEIGHTS OUT.safetensors`, perhaps with a LoRA merged into it, and `convert CHECKPOINT FOLDER
--as-released`."""

import argparse
from pathlib import Path

from ..checkpoints.adapter import AdapterUse
from ..checkpoints.convert import convert, convert_back
from ..checkpoints.merge import merge
from ..families.family import SD15_TERMS
from ..precision import DTYPES


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "weights",
        type=Path,
        help="net.pth of Hallo, Hallo2 or JoyHallo, denoising_unet of EchoMimic or V-Express, or its folder; "
        "with --lora any checkpoint",
    )
    parser.add_argument("output", type=Path, help="the file to write, .safetensors; or a folder, see below")
    parser.add_argument("--vae", type=Path, help="Stable Diffusion 1.5's VAE, to go into the file")
    parser.add_argument("--audio-encoder", type=Path, help="whisper-tiny or wav2vec2, to go into the file")
    parser.add_argument(
        "--as-released",
        action="store_true",
        help="the way back: a folder of files as they were released, of a checkpoint trained from them",
    )
    parser.add_argument(
        "--lora",
        type=AdapterUse.parse,
        action="append",
        default=[],
        metavar="FILE[:STRENGTH]",
        help="merge what `train --lora`, `adapt` or `distill` made; may be given several times",
    )
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="default: as released")


def run(options: argparse.Namespace) -> None:
    dtype = DTYPES[options.dtype] if options.dtype else None
    if options.as_released:
        if options.vae or options.audio_encoder or options.lora:
            raise ValueError(
                "releases have neither VAE nor speech encoder, and a LoRA is merged into a checkpoint first: "
                "leave the options out"
            )
        for file in convert_back(options.weights, options.output, dtype):
            print(file)
        return
    if options.lora:
        notes = merge(
            options.weights, options.output, options.lora, options.vae, options.audio_encoder, dtype
        )
        print(
            f"{options.output}: {notes['title']}. Licence of the weights: {notes.get('licence', 'not said')}"
        )
        return
    made = convert(options.weights, options.output, options.vae, options.audio_encoder, dtype)
    print(f"{options.output}: {made.title}. Licence of the weights: {made.licence}. From {made.source}")
    print(f"They are {SD15_TERMS}")
