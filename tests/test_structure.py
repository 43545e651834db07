"""The shape of the code: imports run one way, the library knows nothing of ComfyUI, functions stay short."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
# A unit is a folder or module right below emo_modules/; it imports itself and units of a lower rank.
RANKS = {
    "__init__": -1,
    "checked": -1,
    "config": 0,
    "writing": 0,
    "schedule": 1,
    "models": 2,
    "media": 2,
    "speech": 3,
    "cues": 3,
    "checkpoints": 4,
    "perception": 5,
    "sampling": 5,
    "data": 5,
    "pipeline": 6,
    "footage": 6,
    "training": 7,
    "evaluation": 7,
    "cli": 8,
    "__main__": 9,
    "nodes": 10,
}
COMFYUI = {"comfy", "nodes", "folder_paths"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MEDIAN_FUNCTION_LINES = 12
SDPA = "scaled_dot_product_attention"
SDPA_HOME = "pack.emo_modules.models.attention"


@dataclass(frozen=True)
class Module:
    name: str  # dotted, below a top package "pack", because the folder of an installation has any name
    package: str  # what one leading dot in an import stands for
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def in_library(self) -> bool:
        return self.name.startswith("pack.emo_modules")


@dataclass(frozen=True)
class Import:
    line: int
    base: str  # what stands after `from` or `import`, resolved when relative, "" when it leaves the pack
    names: tuple[str, ...]
    relative: bool


def module(path: str, source: str) -> Module:
    parts = ("pack", *PurePosixPath(path).with_suffix("").parts)
    package = ".".join(parts[:-1])
    return Module(package if parts[-1] == "__init__" else ".".join(parts), package, source)


def unit(name: str) -> str:
    parts = name.removeprefix("pack.").split(".")
    return parts[0] if parts[0] != "emo_modules" else (parts[1:] or ["__init__"])[0]


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


def dependencies(code: Module, known: set[str]) -> Iterator[tuple[int, str]]:
    """Line and name of each module of the pack that `code` imports; `from . import x` may name one."""
    for found in imports(code):
        if found.relative:
            inner = (f"{found.base}.{name}" for name in found.names)
            yield from ((found.line, name if name in known else found.base) for name in inner)


def rank_errors(code: Module, known: set[str]) -> list[str]:
    own = unit(code.name)
    if own not in RANKS:
        return [f"{code.name}: {own} has no rank, add it to RANKS"]
    return [
        f"{code.name}:{line} ({own}) imports {target or 'something outside the pack'}, which is not below it"
        for line, target in dependencies(code, known)
        if unit(target) != own and RANKS.get(unit(target), len(RANKS)) >= RANKS[own]
    ]


def foreign_errors(code: Module) -> list[str]:
    """Absolute imports that a module may not have: its own pack by name, and in the library ComfyUI."""
    forbidden = {"emo_modules"} | (COMFYUI if code.in_library else set())
    tops = ((found.line, found.base.split(".")[0]) for found in imports(code) if not found.relative)
    return [
        f"{code.name}:{line} imports {top}"
        for line, top in tops
        if top in forbidden or (code.in_library and top.startswith("comfy_"))
    ]


def cycle(modules: list[Module]) -> list[str]:
    """The module names of one import cycle, empty when there is none."""
    known = {code.name for code in modules}
    graph = {code.name: {target for _, target in dependencies(code, known)} for code in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def functions(code: Module) -> list[tuple[str, int]]:
    """Name and number of lines of every function, nested ones and methods too."""
    return [
        (f"{code.name}:{node.name}", node.end_lineno - node.lineno + 1)
        for node in ast.walk(code.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def broad_excepts(code: Module) -> list[str]:
    handlers = [node for node in ast.walk(code.tree) if isinstance(node, ast.ExceptHandler)]
    return [
        f"{code.name}:{handler.lineno} catches everything"
        for handler in handlers
        if handler.type is None or {"Exception", "BaseException"} & set(names_in(handler.type))
    ]


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every identifier used or imported in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.split(".")[-1]


def own_attention(code: Module) -> bool:
    return code.name != SDPA_HOME and SDPA in names_in(code.tree)


def read(folder: str) -> list[Module]:
    return [
        module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


MODULES = read("emo_modules") + read("nodes")
KNOWN = {code.name for code in MODULES}


def test_the_package_is_found() -> None:
    assert {"pack.emo_modules", "pack.emo_modules.config", "pack.emo_modules.models.unet", SDPA_HOME} <= KNOWN


@pytest.mark.parametrize("code", MODULES, ids=lambda code: code.name)
def test_module_keeps_the_rules(code: Module) -> None:
    too_long = [f"{name} has {lines} lines" for name, lines in functions(code) if lines > MAX_FUNCTION_LINES]
    assert rank_errors(code, KNOWN) + foreign_errors(code) + broad_excepts(code) + too_long == []
    assert len(code.source.splitlines()) <= MAX_FILE_LINES
    assert not own_attention(code), f"{code.name} calls {SDPA}; go through models/attention.py"


def test_modules_import_without_cycles() -> None:
    assert cycle(MODULES) == []


def test_functions_are_short() -> None:
    assert median(lines for code in MODULES for _, lines in functions(code)) < MEDIAN_FUNCTION_LINES


def test_attention_has_one_home() -> None:
    (home,) = (code for code in MODULES if code.name == SDPA_HOME)
    assert list(names_in(home.tree)).count(SDPA) == 1


# The checkers themselves, on sources that break one rule each.


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("emo_modules/models/unet.py", "from ..data.avatars import render"),
        ("emo_modules/models/unet.py", "from ..speech.tracks import audio_track"),
        ("emo_modules/models/unet.py", "from ...nodes import EMOSampler"),
        ("emo_modules/models/unet.py", "from .....elsewhere import x"),
        ("emo_modules/models/unet.py", "def f():\n    from ..pipeline import Pipeline"),
        ("emo_modules/models/unet.py", "from .. import pipeline"),
        ("emo_modules/data/__init__.py", "from ..sampling import sample"),
        ("emo_modules/__init__.py", "from .config import EMOConfig"),
        ("emo_modules/extra.py", ""),
        ("emo_modules/cli/train.py", "from ..extra import x"),
    ],
)
def test_upward_imports_are_reported(path: str, source: str) -> None:
    assert len(rank_errors(module(path, source), {"pack.emo_modules.pipeline"})) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("emo_modules/models/unet.py", "from ..config import EMOConfig\nfrom .attention import attend"),
        ("emo_modules/models/__init__.py", "from .unet import UNet"),
        ("emo_modules/pipeline.py", "from .sampling import chunks\nfrom . import config"),
        ("emo_modules/__main__.py", "from .cli import main"),
        ("nodes/sampler.py", "from ..emo_modules.pipeline import Pipeline\nfrom .types import Crop"),
        ("emo_modules/config.py", "import torch\nfrom . import __version__"),
    ],
)
def test_downward_imports_pass(path: str, source: str) -> None:
    assert rank_errors(module(path, source), {"pack.emo_modules.config"}) == []


@pytest.mark.parametrize(
    "source",
    [
        "import comfy.ops",
        "import os, nodes",
        "from comfy import ops",
        "from comfy_api.latest import io",
        "def f():\n    import folder_paths",
        "from emo_modules.config import EMOConfig",
    ],
)
def test_foreign_imports_are_reported(source: str) -> None:
    assert len(foreign_errors(module("emo_modules/models/unet.py", source))) == 1


def test_nodes_may_import_comfyui_but_not_the_library_by_name() -> None:
    assert foreign_errors(module("nodes/sampler.py", "import comfy.samplers, comfy_api.latest")) == []
    assert len(foreign_errors(module("nodes/sampler.py", "import emo_modules"))) == 1


def test_a_cycle_is_reported() -> None:
    first = module("emo_modules/data/first.py", "from . import second")
    second = module("emo_modules/data/second.py", "def f():\n    from .third import g")
    third = module("emo_modules/data/third.py", "from .first import h")
    assert set(cycle([first, second, third])) == {code.name for code in (first, second, third)}
    assert cycle([first, second]) == []


def test_function_lengths_are_counted() -> None:
    source = "class A:\n    @property\n    def f(self):\n        def g():\n            pass\n\n        g()"
    assert [lines for _, lines in functions(module("emo_modules/config.py", source))] == [5, 2]


@pytest.mark.parametrize(
    ("clause", "broad"),
    [
        ("except:", True),
        ("except Exception as error:", True),
        ("except (OSError, BaseException):", True),
        ("except builtins.Exception:", True),
        ("except (OSError, ValueError):", False),
    ],
)
def test_broad_excepts_are_reported(clause: str, broad: bool) -> None:
    code = module("emo_modules/config.py", f"try:\n    pass\n{clause}\n    pass\n")
    assert bool(broad_excepts(code)) == broad


@pytest.mark.parametrize(
    "source",
    [
        f"import torch.nn.functional as F\ny = F.{SDPA}(q, k, v)",
        f"from torch.nn.functional import {SDPA} as sdpa",
        f"import torch\ny = torch.nn.functional.{SDPA}(q, k, v)",
    ],
)
def test_attention_elsewhere_is_reported(source: str) -> None:
    assert own_attention(module("emo_modules/models/unet.py", source))
    assert not own_attention(module("emo_modules/models/attention.py", source))
