"""The imports of the packages and the nodes, read from the source without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
PACKAGES = ("emo_modules", "emo_training", "emo_people", "nodes")


@dataclass(frozen=True)
class Module:
    name: str  # dotted, below a top package "pack", because the folder of an installation has any name
    package: str  # what one leading dot in an import stands for
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def top(self) -> str:
        return place(self.name)[0]


@dataclass(frozen=True)
class Import:
    line: int
    base: str  # what stands after `from` or `import`, resolved when relative, "" when it leaves the pack
    names: tuple[str, ...]
    relative: bool

    @property
    def top(self) -> str:
        return self.base.split(".")[0]


def module(path: str, source: str) -> Module:
    parts = ("pack", *PurePosixPath(path).with_suffix("").parts)
    package = ".".join(parts[:-1])
    return Module(package if parts[-1] == "__init__" else ".".join(parts), package, source)


def place(name: str) -> tuple[str, str]:
    """Package and room of a module."""
    package, *rooms = name.removeprefix("pack.").split(".")
    return package, (rooms or ["__init__"])[0]


def resolve(node: ast.ImportFrom, package: str) -> str:
    try:
        return resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:
        return ""


def imports(code: Module) -> Iterator[Import]:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, (), False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.lineno, resolve(node, code.package), names, node.level > 0)


def dependencies(code: Module, known: set[str]) -> Iterator[tuple[Import, str]]:
    """Each import of a module of the pack and that module's name; `from . import x` may name one."""
    for found in imports(code):
        if found.relative or found.top in PACKAGES and found.top != "nodes":
            base = found.base if found.relative else f"pack.{found.base}"
            inner = (f"{base}.{name}" for name in found.names or ("",))
            yield from ((found, name if name in known else base) for name in inner)


def read(folder: str) -> list[Module]:
    return [
        module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


MODULES = [code for package in PACKAGES for code in read(package)]
KNOWN = {code.name for code in MODULES}
