"""Command line options made of a dataclass, which says their names, kinds and help once.

    size: Annotated[int, "pixels of the stored square"] = 512      --size SIZE   pixels of the stored square
    sound: Annotated[bool, "pictures alone"] = True                --without-sound

A field with a text is an option; a tuple of names beside the text are those of its numbers. A tuple of any
length is an option that may be given several times. Fields without a text are the caller's affair.
"""

import argparse
from typing import Any, Literal, get_args, get_origin

from ..checked import described_fields


def add_field_options(parser: argparse.ArgumentParser, record: type, without: tuple[str, ...] = ()) -> None:
    """Adds the options of the dataclass `record`, but for some fields. None is required, and one that is not
    given is None."""
    for name, hint, default, notes in described_fields(record):
        if name in without:
            continue
        text = next(note for note in notes if isinstance(note, str))
        names = next((note for note in notes if isinstance(note, tuple)), None)
        flag = f"--{'without-' if default is True else ''}{name.replace('_', '-')}"
        if hint is bool:
            parser.add_argument(flag, dest=name, action="store_const", const=not default, help=text)
        elif get_origin(hint) is Literal:
            parser.add_argument(flag, choices=get_args(hint), help=text)
        elif get_origin(hint) is tuple and Ellipsis in (parts := get_args(hint)):
            parser.add_argument(flag, type=parts[0], action="append", metavar=name.upper(), help=text)
        elif get_origin(hint) is tuple:
            parser.add_argument(flag, type=parts[0], nargs=len(parts), metavar=names, help=text)
        else:
            parser.add_argument(flag, type=hint, help=text)


def field_values(record: type, options: argparse.Namespace) -> dict[str, Any]:
    """Those of `record`'s options that the command has and that were given, by field; for the others its
    defaults stand."""
    given = {name: getattr(options, name, None) for name, *_ in described_fields(record)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
