"""The command line of training: footage -> shards -> a trained model -> its measures."""

from collections.abc import Sequence

from emo_modules.cli.command_line import run_command_line

COMMANDS = {
    "prepare": "a folder of videos -> samples in shards, ready to train on",
    "inspect": "a shard of prepared samples -> a contact sheet to look at",
    "train": "one stage of EMO's training, on shards or encoded samples",
    "adapt": "videos of one person -> a LoRA that knows this person, and a page",
    "distill": "a LoRA with which a model needs few steps and no guidance",
    "evaluate": "measure a model's videos against true ones",
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command_line("emo_training", "EMO: from footage to a trained model", COMMANDS, {}, arguments)
