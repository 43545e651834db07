"""The command line of the pack: rendering, and converting weights."""

from collections.abc import Sequence

from .command_line import run_command_line

COMMANDS = {
    "animate": "a portrait and an audio file -> a talking video",
    "convert": "the released weights of EMO's relatives -> one safetensors file",
}
MOVED = {
    "avatar": "python -m emo_people avatar",
    "evaluate": "python -m emo_training evaluate videos or shards; avatars: python -m emo_people evaluate",
    "inspect": "python -m emo_training inspect",
    "prepare": "python -m emo_training prepare",
    "prepare-demo-data": "python -m emo_people draw-samples",
    "train": "python -m emo_training train",
    "train-demo": "python -m emo_people train-demo",
    "train-finder": "python -m emo_people train-finder",
    "train-reader": "python -m emo_people train-reader",
    "train-syncnet": "python -m emo_people train-syncnet",
    "train-tracker": "python -m emo_people train-tracker",
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command_line("emo_modules", "EMO: talking portraits", COMMANDS, MOVED, arguments)
