"""The command line: animate, convert and evaluate models; draw, prepare and train the demo's."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

# each command's module adds its options to a parser and runs it; imported only when it is asked for
COMMANDS = {
    "animate": ("animate", "a portrait and an audio file -> a talking video"),
    "avatar": ("avatar", "draw a person nobody trained on, with speech and the true video"),
    "convert": ("convert", "the released weights of EMO's relatives -> one safetensors file"),
    "evaluate": ("evaluate", "measure a model on people and sentences it never saw"),
    "inspect": ("inspect", "a shard of prepared clips -> a contact sheet to look at"),
    "prepare": ("prepare_footage", "a folder of videos -> clips in shards, ready to train on"),
    "prepare-demo-data": ("prepare", "draw and speak the demo model's training clips"),
    "train-demo": ("train_demo", "make the demo model from nothing: data, VAE, audio encoder, three stages"),
    "train-finder": ("train_finder", "make the network that finds drawn faces in a portrait"),
    "train-reader": ("train_reader", "make the network that measures the evaluation's clips"),
    "train-syncnet": ("train_syncnet", "make the network that finds drawn lips out of sync with their sound"),
    "train-tracker": ("train_tracker", "make the networks that follow drawn faces in footage"),
    "train": ("train", "one stage of EMO's training on encoded clips"),
}

NO_MEMORY = "not enough memory: close other programs, or work on less at once"
# What libraries raise for a file or machine that is at fault, where no code of ours has said it better. Those
# that are not imported have raised nothing. A RuntimeError is not here: it may be a fault of this program.
LIBRARY_ERRORS = (
    ("av", "FFmpegError"),
    ("PIL.Image", "DecompressionBombError"),
    ("pickle", "UnpicklingError"),
    ("safetensors", "SafetensorError"),
    ("soundfile", "SoundFileError"),
    ("tarfile", "TarError"),
    ("torch", "OutOfMemoryError"),
    ("yaml", "YAMLError"),
    ("zipfile", "BadZipFile"),
)


def library_errors() -> tuple[type[Exception], ...]:
    return tuple(
        getattr(sys.modules[module], name) for module, name in LIBRARY_ERRORS if module in sys.modules
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, 1 after printing what was wrong with the input, or 130 when interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m emo_modules", description="EMO: talking portraits")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if arguments[:1] == [name]:
            import_module(f".{module}", __package__).add_options(command)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        import_module(f".{COMMANDS[options.command][0]}", __package__).run(options)
    except (ValueError, OSError, MemoryError, *library_errors()) as error:
        print(f"error: {str(error) or NO_MEMORY}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0
