"""`train-built-in`: the built-in model's UNets, from clips of rendered people, on a GPU or a CPU."""

import argparse
from pathlib import Path

import torch

from emo_modules.checkpoints.vae import build_vae
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_modules.writing.folder_lock import folder_in_use
from emo_training.training.loop import load_parameters

from ..recipe.articulation import load_projection
from ..recipe.built_in import (
    BuiltInRecipe,
    BuiltInTraining,
    amplify_hearing,
    build_model,
    export,
    load_audio_encoder,
    recipe_for,
)
from ..recipe.clip_set import read_clip_set
from ..recipe.config import BUILT_IN

STAGES = [plan.name for plan in BuiltInRecipe().stages]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clips", type=Path, required=True, help="folder of clips, as render-clips writes them"
    )
    parser.add_argument("--held-out", type=Path, required=True, help="folder of clips to check with")
    parser.add_argument("--vae", type=Path, required=True, help="weights of the autoencoder")
    parser.add_argument("--audio-encoder", type=Path, required=True, help="weights of the audio encoder")
    parser.add_argument(
        "--out", type=Path, required=True, help="states and the checkpoint; resumes what is there"
    )
    parser.add_argument("--minutes", type=float, default=480.0, help="of training, in all stages together")
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=STAGES,
        default=STAGES,
        help="to train; with --start those that other weights still lack",
    )
    parser.add_argument("--start", type=Path, help="weights to begin with, as another run's ema.safetensors")
    parser.add_argument(
        "--articulation",
        type=Path,
        help="what train-articulation wrote; no stage trains it further",
    )


def run(options: argparse.Namespace) -> None:
    with folder_in_use(options.out, "train-built-in"):
        train(options, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def train(options: argparse.Namespace, device: torch.device) -> None:
    if not (options.articulation or options.start):
        raise ValueError("no stage trains the audio projection: give --articulation, or --start")
    encoder = load_audio_encoder(BUILT_IN, options.audio_encoder).to(device)
    weights = read_weights(options.vae, "the weights of a PatchVAE")
    vae = build_vae(BUILT_IN)
    assert isinstance(vae, PatchVAE)  # as the configuration says
    load_strict(vae, weights, str(options.vae))
    model = build_model(BUILT_IN, weights)
    if options.start:
        load_parameters(model, options.start)
    if options.articulation:
        load_projection(model, options.articulation)
    clips, held_out = (
        read_clip_set(folder, BUILT_IN, encoder, device) for folder in (options.clips, options.held_out)
    )
    training = BuiltInTraining(options.out, clips, held_out, vae.eval().to(device), model.to(device))
    training.run(recipe_for(device, options.stages), options.minutes)
    amplify_hearing(model)
    for path in export(options.out / "checkpoint" / "emo-built-in.safetensors", model, vae, encoder):
        print(path)
