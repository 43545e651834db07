"""Command line options made of a dataclass."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from emo_modules.checked import Checked, Range
from emo_modules.cli.options import add_field_options, field_values


@dataclass(frozen=True)
class Recipe:
    name: Annotated[str, "what it is called"]
    most_steps: Annotated[int | None, "of training"] = None
    rate: Annotated[float, "of learning"] = 0.5
    kind: Annotated[Literal["fast", "good"] | None, "how"] = None
    span: Annotated[tuple[float, float], "of time", ("FROM", "TO")] = (0.0, 1.0)
    place: Annotated[Path | None, "a file"] = None
    sound: Annotated[bool, "leave it out"] = True
    twice: Annotated[bool, "again"] = False
    words: Annotated[tuple[str, ...], "several"] = ()
    inner: int = 7


def read(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_field_options(parser, Recipe)
    return field_values(Recipe, parser.parse_args(arguments))


def test_what_is_given_has_the_fields_kind():
    given = read(
        *("--name", "x", "--most-steps", "3", "--rate", "2", "--kind", "good", "--span", "0.2", "1"),
        *("--place", "a/b", "--without-sound", "--twice", "--words", "one", "--words", "two"),
    )
    told = Recipe("x", 3, 2.0, "good", (0.2, 1.0), Path("a/b"), False, True, ("one", "two"))
    assert Recipe(**given) == told
    assert isinstance(given["rate"], float)


def test_what_is_not_given_is_left_to_the_record():
    assert read() == {}
    assert Recipe("x", **read("--rate", "0")).rate == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--most-steps", "many"), "invalid int value: 'many'"),
        (("--kind", "slow"), "choose from"),
        (("--span", "1"), "expected 2 arguments"),
        (("--inner", "8"), "unrecognized arguments"),
    ],
)
def test_what_a_field_cannot_be_is_refused(arguments, said, capsys):
    with pytest.raises(SystemExit):
        read(*arguments)
    assert said in capsys.readouterr().err


def test_help_names_every_option():
    parser = argparse.ArgumentParser()
    add_field_options(parser, Recipe)
    text = " ".join(parser.format_help().split())
    for line in (
        "--most-steps MOST_STEPS of training",
        "--kind {fast,good} how",
        "--span FROM TO of time",
        "--without-sound leave it out",
        "--twice again",
    ):
        assert line in text


def test_a_checked_record_takes_texts_beside_its_limits():
    @dataclass(frozen=True)
    class Limited(Checked):
        share: Annotated[float, Range(0, 1), "of all"] = 0.5

    parser = argparse.ArgumentParser()
    add_field_options(parser, Limited)
    with pytest.raises(ValueError, match="Limited.share is 2.0; expected is a number from 0 to 1$"):
        Limited(**field_values(Limited, parser.parse_args(["--share", "2"])))
