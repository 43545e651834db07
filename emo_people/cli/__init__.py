"""The command line of the synthetic people: rendering them, and what learns from them."""

from collections.abc import Sequence

from emo_modules.cli.command_line import run_command_line

COMMANDS = {
    "person": "render a person who speaks: portrait, sound, true video and what it shows",
    "sheets": "draw sheets of the people, to be looked at",
    "train-vae": "make the built-in model's autoencoder from pictures of rendered people",
    "train-audio-encoder": "make what the built-in model hears with",
    "train-built-in": "make the networks of the built-in model from clips of rendered people",
    "train-articulation": "teach the built-in model's hearing what mouths do, from speech without pictures",
    "evaluate": "measure a model on people and sentences it never saw",
    "render-pool": "render people for the networks that find and read faces",
    "render-mouths": "render people who speak, for the network that hears whether lips are in sync",
    "render-clips": "render people who speak, with what moves where, for the built-in model",
    "train-faces": "make the network that finds faces of people in pictures",
    "train-face-reader": "make the networks that read landmarks, pose, mouth and lids off people's faces",
    "train-identity": "make the network that tells people in pictures apart",
    "train-syncnet": "make the network that finds lips out of sync with their sound",
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command_line("emo_people", "EMO: a world of synthetic people", COMMANDS, {}, arguments)
