"""Names of results: the same for the same things, another for any that differs."""

import os
from dataclasses import dataclass

import pytest
import torch

from emo_modules.writing.digest import code_digest, content_digest, digest, file_digest


@dataclass(frozen=True)
class Point:
    x: float
    y: torch.Tensor | None = None


def test_equal_things_have_one_digest():
    one, two = ({"a": torch.arange(3), "b": [Point(1.0, torch.ones(2))]} for _ in range(2))
    assert digest(one) == digest(dict(reversed(two.items())))
    assert digest({"x", "y", "z"}) == digest({"z", "y", "x"})
    turned = torch.arange(6).view(3, 2).T
    assert digest(turned) == digest(turned.contiguous())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (1, "1"),
        (None, "None"),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        ({"a": 1}, [("a", 2)]),
        (torch.zeros(4), torch.zeros(2, 2)),
        (torch.zeros(4), torch.zeros(4, dtype=torch.bfloat16)),
        (torch.zeros(2), torch.tensor([0.0, -0.0])),
        (torch.tensor(1.0), torch.tensor([1.0])),
        (Point(1.0), Point(2.0)),
        (Point(1.0), [1.0, None]),
    ],
)
def test_things_that_differ_have_two(one, other):
    assert digest(one) != digest(other)


def test_what_is_no_data_needs_a_name():
    with pytest.raises(TypeError, match="object has no digest"):
        digest(object())
    assert digest([object()], unknown=lambda _: "a") != digest([object()], unknown=lambda _: "b")


def test_a_file_that_was_written_again_is_another(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    before = file_digest(file)
    os.utime(file, ns=(1, 1))
    assert file_digest(file) != before
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "absent")


def test_a_folder_is_all_that_is_in_it(tmp_path):
    (tmp_path / "deep").mkdir()
    (file := tmp_path / "deep" / "weights").write_bytes(b"one")
    before = file_digest(tmp_path)
    assert file_digest(tmp_path) == before
    file.write_bytes(b"three")
    assert file_digest(tmp_path) != before


def test_contents_are_the_same_wherever_they_lie(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two" / "deep"
    for folder in (one, two):
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"same")
    os.utime(two / "weights", ns=(1, 1))
    assert content_digest(one / "weights") == content_digest(two / "weights")
    assert content_digest(one) == content_digest(two.parent)
    before = content_digest(one)
    (one / "weights").write_bytes(b"none")
    assert content_digest(one) != before
    with pytest.raises(FileNotFoundError):
        content_digest(tmp_path / "absent")


def test_code_is_what_its_files_say(tmp_path):
    for name, text in (("one", "a = 1"), ("two", "a = 2"), ("three", "a = 1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text(text)
    one, two, three = (code_digest(tmp_path / name) for name in ("one", "two", "three"))
    assert one == three != two
