"""The command line of the pack: rendering, and converting weights."""

from collections.abc import Sequence

from .command_line import run_command_line

COMMANDS = {
    "animate": "a portrait and an audio file -> a talking video",
    "converse": "a picture of several people and a sound for each -> a video of their talk",
    "render": "a file of many portraits and sounds -> as many videos, on all devices or a cluster",
    "clips": "how much room finished clips take, or away with them",
    "convert": "the released weights of EMO's relatives -> one safetensors file",
}
MOVED = {
    "evaluate": "python -m emo_training evaluate videos or shards; the demo: python -m emo_people evaluate",
    "inspect": "python -m emo_training inspect",
    "prepare": "python -m emo_training prepare",
    "train": "python -m emo_training train",
    "train-syncnet": "python -m emo_people train-syncnet",
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command_line("emo_modules", "EMO: talking portraits", COMMANDS, MOVED, arguments)
