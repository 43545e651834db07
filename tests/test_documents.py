"""What the documents point at exists: files, folders, tests, names in the code, commands, options, links.

Code is named by its path below `emo_modules`, or below the repository with its package in front; a file name
without a folder is in the folder that was named last, or beside the document.
"""

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from emo_modules.cli import COMMANDS as PACK_COMMANDS
from emo_people.cli import COMMANDS as PEOPLE_COMMANDS
from emo_training.cli import COMMANDS as TRAINING_COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for place in ("*", "docs/*", "docs/manager/*", "benchmarks/*", "web/docs/*", "web/docs/*/*", ".github/*")
    for path in sorted(ROOT.glob(f"{place}.md"))
]
SCRIPTS = ["Makefile", "slurm/prepare.sh", "slurm/train.sh"]
COMMANDS = {
    "emo_modules": PACK_COMMANDS,
    "emo_training": TRAINING_COMMANDS,
    "emo_people": PEOPLE_COMMANDS,
}
# Files and folders of ComfyUI, of other projects, or that a run makes.
ELSEWHERE = re.compile(
    r"(models/(emo|vae|vae_approx|audio_encoders|loras)|~|hallo2?|emo|runs|state|tensorboard)/?(/.*)?"
    r"|data/example\.avi|frechet_video_distance/example\.py|joonson/syncnet_python|vae/SD1\.5"
    r"|audio_processor/whisper_tiny\.pt|(main|demo_syncnet)\.py"
)
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\*|\.\.\.")
FOREIGN_OPTIONS = {
    "ComfyUI": {"--lowvram", "--front-end-root", "--disable-metadata", "--fp32-vae"},
    "pip": {"--no-deps", "--target"},
    "git": {"--branch", "--depth"},
    "ruff, pytest, node": {"--check", "--dist", "--test"},
    "accelerate, tensorboard": {"--num_processes", "--logdir"},
    "torchrun": {"--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-id", "--rdzv-endpoint"},
    "sbatch": {"--array", "--dependency", "--export"},
}
FENCE = re.compile(r"^```.*?^```|^(?: {4,}\S.*\n)+", re.M | re.S)
QUOTED = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)?::(test_\w+)")
FILE = re.compile(r"(?:[\w.-]+/)+[\w.-]*|\w+\.py")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*(?:\(.*\))?")
MEMBER = re.compile(r"([A-Z]\w*[a-z]\w*)\.(\w+)(?:\(.*\))?")
COMMAND = re.compile(r"-m (emo_[a-z]+) ([a-z][a-z-]*)((?:\\\n|[^\n`#|])*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def quoted(document: str) -> Iterator[tuple[str, str]]:
    """Whatever stands in backticks outside of code blocks, with the text between it and what stood before."""
    prose, end = FENCE.sub("", text(document)), 0
    for found in QUOTED.finditer(prose):
        yield found[1], prose[end : found.start()]
        end = found.end()


def locate(name: str, beside: list[Path]) -> Path | None:
    places = [ROOT / "emo_modules" / name, ROOT / name]
    if "/" not in name:
        places += [folder / name for folder in beside]
    return next((place for place in places if place.exists()), None)


@cache
def definitions(path: Path) -> set[str]:
    """Names that the file defines: classes, functions, parameters, attributes; `Class.member` too."""
    return set(_defined(ast.parse(path.read_text(encoding="utf-8")), ""))


def _defined(tree: ast.AST, prefix: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.name, prefix + node.name)
            yield from _defined(node, f"{node.name}." if isinstance(node, ast.ClassDef) else prefix)
            continue
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.id if isinstance(node, ast.Name) else node.attr
            yield from (name, prefix + name)
        yield from _defined(node, prefix)


@cache
def class_members() -> dict[str, set[str]]:
    """Of every class of the project, by its name: what it and its files' functions define in it."""
    members: dict[str, set[str]] = {}
    for package in (*COMMANDS, "nodes"):
        for path in (ROOT / package).rglob("*.py"):
            for name in definitions(path):
                owner, _, member = name.partition(".")
                members.setdefault(owner, set()).update({member} - {""})
    return members


def missing_code(document: str) -> list[str]:
    missing, beside, file = [], [(ROOT / document).parent], None
    for token, between in quoted(document):
        if test := TEST.fullmatch(token):
            file = ROOT / test[1] if test[1] else file
            if file is None or not file.is_file() or test[2] not in definitions(file):
                missing.append(token)
        elif ELSEWHERE.fullmatch(token) or PLACEHOLDER.search(token):
            file = None
        elif FILE.fullmatch(token):
            if (found := locate(token, beside)) is None:
                missing.append(token)
            else:
                beside = [beside[0], found if found.is_dir() else found.parent]
                file = found if found.suffix == ".py" else None
        elif file is not None and between.strip() in ("", ",", "(") and NAME.fullmatch(token):
            if token.partition("(")[0] not in definitions(file):
                missing.append(f"{file.relative_to(ROOT).as_posix()} {token}")
        else:
            file = None
            if (member := MEMBER.fullmatch(token)) and member[2] not in class_members().get(member[1], ()):
                missing.append(token)
    return missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_that_a_document_names_is_there(document: str) -> None:
    """Files and folders, tests, and the names that stand right after a file or as `Class.member`."""
    assert missing_code(document) == []


@cache
def options(package: str, command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(command, exit_on_error=False)
    import_module(f"{package}.cli.{command.replace('-', '_')}").add_options(parser)
    return parser


def known_options(parser: argparse.ArgumentParser) -> set[str]:
    found = {"--help"}
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found.update(*(known_options(choice) for choice in action.choices.values()))
    return found


def all_options() -> set[str]:
    ours = (known_options(options(package, name)) for package, names in COMMANDS.items() for name in names)
    return set().union(*ours, *FOREIGN_OPTIONS.values())


def command_errors(source: str) -> Iterator[str]:
    """Commands and options that are not there, and command lines that the command does not understand."""
    for package, command, rest in COMMAND.findall(source):
        if command not in COMMANDS.get(package, ()):
            yield f"{package} has no command {command}"
            continue
        parser = options(package, command)
        used = set(OPTION.findall(rest))
        yield from (f"{command} has no option {name}" for name in used - known_options(parser))
        words = shlex.split(rest.replace("\\\n", " "))
        if words and not re.search(r"[$<\"]|\.\.\.", rest) and used <= known_options(parser):
            try:
                parser.parse_args(words)
            except (argparse.ArgumentError, SystemExit) as error:
                yield f"{command} {' '.join(words)}: {error}"


@pytest.mark.parametrize("document", [*DOCUMENTS, *SCRIPTS])
def test_commands_that_a_document_shows_can_be_given(document: str) -> None:
    assert list(command_errors(text(document))) == []


@pytest.mark.parametrize("document", [*DOCUMENTS, *SCRIPTS])
def test_options_that_a_document_names_are_there(document: str) -> None:
    """Anywhere: in a table, in a sentence, in a script. Those of benchmarks stand in their source."""
    benchmarks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    given = set(OPTION.findall(re.sub(r"^#SBATCH.*$|\bpip install .*$", "", text(document), flags=re.M)))
    assert [name for name in sorted(given - all_options()) if f'"{name}"' not in benchmarks] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_of_the_makefile_that_a_document_names_are_there(document: str) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text(document), re.M))
    assert named <= set(re.findall(r"^([a-z-]+):", text("Makefile"), re.M))


@pytest.mark.parametrize("script", SCRIPTS)
def test_files_that_a_script_names_are_there(script: str) -> None:
    stages = re.findall(r"STAGE=([\w-]+)", text(script))
    named = {f"configs/{stage}.yaml" for stage in stages} | set(re.findall(r"\bslurm/\w+\.sh", text(script)))
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Relative ones: to a file, and to a heading when they name one."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text(document))):
        path, _, anchor = link.partition("#")
        if ":" in link or document.startswith("web/"):
            continue
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or anchor and anchor not in anchors(target):
            broken.append(link)
    assert broken == []


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_drawing_of_the_house_has_every_room() -> None:
    rooms = {path.parent.name for package in COMMANDS for path in (ROOT / package).glob("*/__init__.py")}
    assert rooms - set(re.findall(r"\w+", text("docs/architecture.md"))) == set()


# The checkers themselves.


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("`config.py` `EMOConfig.sd15`, and `models/unet.py`", []),
        ("`emo_training/` and `tests/models` and `configs/1-image.yaml`", []),
        ("`cues/landmarks.py` and `masks.py`", []),
        ("`training/loop.py`", ["training/loop.py"]),
        ("`emo_modules/gone/`", ["emo_modules/gone/"]),
        ("`gone.py`", ["gone.py"]),
        ("`config.py` `Gone`", ["emo_modules/config.py Gone"]),
        ("`tests/test_config.py::test_gone`", ["tests/test_config.py::test_gone"]),
        ("say `EMOConfig.gone` and `Gone.away`", ["EMOConfig.gone", "Gone.away"]),
    ],
)
def test_code_that_is_not_there_is_reported(tmp_path, monkeypatch, written: str, wrong: list[str]) -> None:
    monkeypatch.setattr(f"{__name__}.text", lambda document: written)
    assert missing_code("a.md") == wrong


@pytest.mark.parametrize(
    ("written", "errors"),
    [
        ("python -m emo_modules animate a.png b.wav -o c.mp4", 0),
        ("python -m emo_modules animate a.png \\\n    b.wav -o c.mp4  # a remark", 0),
        ("python -m emo_modules train", 1),
        ("python -m emo_people animate", 1),
        ("`python -m emo_modules animate a.png b.wav -o c.mp4 --gone`", 1),
        ("python -m emo_modules animate a.png", 1),
    ],
)
def test_commands_that_cannot_be_given_are_reported(written: str, errors: int) -> None:
    assert len(list(command_errors(written))) == errors
