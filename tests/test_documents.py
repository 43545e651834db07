"""What the documents point at exists: tests by name, files of the code, and the names beside them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
QUOTED = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)?::(test_\w+)")
CODE = re.compile(
    r"`(?:emo_modules/)?([a-z_]+(?:/[a-z_0-9]+)*\.py)`"  # the file
    r"((?:,? `(?![\w/]+\.py`)[A-Za-z_][\w.]*`)*)"  # and names in it
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_a_document_names_are_there(path: Path) -> None:
    """`tests/file.py::test_name`, and `::test_name` after it for the same file."""
    file, missing = None, []
    for quoted in QUOTED.findall(path.read_text(encoding="utf-8")):
        if not (match := TEST.fullmatch(quoted)):
            continue
        file = match[1] or file
        if f"def {match[2]}(" not in source(ROOT / str(file)):
            missing.append(f"{file}::{match[2]}")
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_code_that_a_document_names_is_there(path: Path) -> None:
    """`folder/file.py` of emo_modules or of the repository, and the identifiers that stand right after it.

    A file in no folder of the project's may be another program's.
    """
    missing = []
    for file, beside in CODE.findall(path.read_text("utf-8")):
        places = [place / file for place in (ROOT / "emo_modules", ROOT)]
        if found := "".join(map(source, places)):
            missing += [f"{file} {name}" for name in QUOTED.findall(beside) if not defines(found, name)]
        elif "/" in file and any(place.parent.is_dir() for place in places):
            missing.append(file)
    assert missing == []


def source(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def defines(text: str, name: str) -> bool:
    """`Class.member` or a name: a word of the file."""
    return all(re.search(rf"\b{part}\b", text) for part in name.split("."))
