"""What every package's command line shares: finding the command, and errors as one line."""

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from ..faults import NO_MEMORY, input_errors


def run_command_line(
    package: str,
    description: str,
    commands: Mapping[str, str],
    moved: Mapping[str, str],
    arguments: Sequence[str] | None,
) -> int:
    """Runs one of `commands`, name -> summary, each a module of `package`.cli with `add_options` and `run`.

    A module is imported only when its command is asked for. `moved` tells where commands went that were here.
    Returns the exit status: 0, 1 after printing what was wrong with the input, or 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in moved:
        where = f"{moved[arguments[0]]}, in a clone of the repository"
        print(f"error: {arguments[0]} has moved: {where}", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=description)
    choices = parser.add_subparsers(dest="command", required=True)
    for name, summary in commands.items():
        command = choices.add_parser(name, help=summary, description=summary)
        if arguments[:1] == [name]:
            _module(package, name).add_options(command)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("accelerate").setLevel(logging.WARNING)  # it tells of every file of a state it saves
    try:
        _module(package, options.command).run(options)
    except input_errors() as error:
        print(f"error: {str(error) or NO_MEMORY}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _module(package: str, command: str) -> Any:
    return import_module(f"{package}.cli.{command.replace('-', '_')}")
