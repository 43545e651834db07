"""The shape of the code: imports run one way, the library knows nothing of ComfyUI, functions stay short."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from statistics import median

import pytest

from .imports import KNOWN, MODULES, Module, dependencies, imports, module, place

# A room is a folder or module right below a package; it imports itself and rooms of a lower rank.
RANKS = {
    "emo_modules": {
        "__init__": -1,
        "checked": -2,
        "older": -1,
        "quirks": -1,
        "config": 0,
        "writing": 0,
        "tables": 0,
        "faults": 0,
        "processes": 0,
        "schedule": 1,
        "models": 2,
        "media": 2,
        "speech": 3,
        "cues": 3,
        "precision": 3,
        "options": 4,
        "weights": 4,
        "families": 5,
        "checkpoints": 6,
        "sampling": 7,
        "cost": 8,
        "prepared": 8,
        "pipeline": 9,
        "film": 10,
        "live": 10,
        "together": 10,
        "model_choice": 10,
        "jobs": 11,
        "cli": 12,
        "__main__": 13,
    },
    "emo_training": {
        "__init__": -1,
        "perception": 0,
        "footage": 1,
        "training": 2,
        "evaluation": 2,
        "adapting": 3,
        "cli": 4,
        "__main__": 5,
    },
    "emo_people": {
        "__init__": -1,
        "speech": 0,
        "acting": 1,
        "people": 2,
        "rendering": 3,
        "filming": 4,
        "networks": 5,
        "recipe": 6,
        "evaluation": 7,
        "cli": 8,
        "__main__": 9,
    },
    "nodes": {},
}
# What each package may import of the others.
BELOW = {
    "emo_modules": (),
    "emo_training": ("emo_modules",),
    "emo_people": ("emo_modules", "emo_training"),
    "nodes": ("emo_modules",),
}
# Modules that call what raises Exception itself: glcontext, where there is no OpenGL.
BARE_RAISERS = {"pack.emo_people.rendering.context"}
COMFYUI = {"comfy", "nodes", "folder_paths"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MEDIAN_FUNCTION_LINES = 12
SDPA = "scaled_dot_product_attention"
SDPA_HOME = "pack.emo_modules.models.attention"


def rank_errors(code: Module, known: set[str]) -> list[str]:
    package, room = place(code.name)
    ranks = RANKS[package]
    if package != "nodes" and room not in ranks:
        return [f"{code.name}: {room} has no rank, add it to RANKS"]
    return [
        f"{code.name}:{found.line} imports {target or 'something outside the pack'}, which is not below it"
        for found, target in dependencies(code, known)
        if not is_below(code, *place(target))
    ]


def is_below(code: Module, package: str, room: str) -> bool:
    own_package, own_room = place(code.name)
    if package != own_package:
        return package in BELOW[own_package]
    if room == own_room or package == "nodes":
        return True
    return RANKS[package].get(room, len(RANKS[package])) < RANKS[package][own_room]


def spelling_errors(code: Module) -> list[str]:
    """The one way of imports: by dots within a package and from nodes, by name from another package."""
    return [
        f"{code.name}:{found.line} imports {target} {'by dots' if found.relative else 'by name'}"
        for found, target in dependencies(code, set())
        if found.relative != (code.top in (place(target)[0], "nodes"))
    ]


def foreign_errors(code: Module) -> list[str]:
    """Absolute imports of ComfyUI, of which only nodes know."""
    if code.top == "nodes":
        return []
    tops = ((found.line, found.top) for found in imports(code) if not found.relative)
    return [
        f"{code.name}:{line} imports {top}"
        for line, top in tops
        if top in COMFYUI or top.startswith("comfy_")
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
    if code.name in BARE_RAISERS:
        return []
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


def test_the_package_is_found() -> None:
    assert {"pack.emo_modules", "pack.emo_modules.config", "pack.emo_modules.models.unet", SDPA_HOME} <= KNOWN


@pytest.mark.parametrize("code", MODULES, ids=lambda code: code.name)
def test_module_keeps_the_rules(code: Module) -> None:
    too_long = [f"{name} has {lines} lines" for name, lines in functions(code) if lines > MAX_FUNCTION_LINES]
    broken = rank_errors(code, KNOWN) + spelling_errors(code) + foreign_errors(code) + broad_excepts(code)
    assert broken + too_long == []
    assert len(code.source.splitlines()) <= MAX_FILE_LINES
    assert not own_attention(code), f"{code.name} calls {SDPA}; go through models/attention.py"


def test_modules_import_without_cycles() -> None:
    assert cycle(MODULES) == []


def test_functions_are_short() -> None:
    assert median(lines for code in MODULES for _, lines in functions(code)) < MEDIAN_FUNCTION_LINES


def test_attention_has_one_home() -> None:
    (home,) = (code for code in MODULES if code.name == SDPA_HOME)
    assert list(names_in(home.tree)).count(SDPA) == 1


def family_names(code: Module) -> list[str]:
    """Comparisons with the name of one of EMO's families, which only their own modules know."""
    families = {name.rpartition(".")[2] for name in KNOWN if ".emo_modules.families." in name}
    compared = (
        constant.value
        for node in ast.walk(code.tree)
        if isinstance(node, ast.Compare | ast.match_case)
        for constant in ast.walk(node if isinstance(node, ast.Compare) else node.pattern)
        if isinstance(constant, ast.Constant)
    )
    return [name for name in compared if name in families - {"family", "table"}]


def test_only_the_table_asks_which_family_it_is() -> None:
    others = [code for code in MODULES if place(code.name)[1] != "families"]
    assert [(code.name, found) for code in others if (found := family_names(code))] == []


# The checkers themselves, on sources that break one rule each.


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("emo_modules/models/unet.py", "from emo_training.training.loop import Trainer"),
        ("emo_modules/models/unet.py", "from ..speech.wav2vec2 import encode_audio"),
        ("emo_modules/models/unet.py", "from ...nodes import EMOSampler"),
        ("emo_modules/models/unet.py", "from .....elsewhere import x"),
        ("emo_modules/models/unet.py", "def f():\n    from ..pipeline import Pipeline"),
        ("emo_modules/models/unet.py", "from .. import pipeline"),
        ("emo_modules/media/__init__.py", "from ..sampling import sample"),
        ("emo_training/footage/pack.py", "from emo_people.filming.speakers import FPS"),
        ("emo_training/footage/pack.py", "from ..training.loop import Trainer"),
        ("nodes/sampler.py", "from ..emo_training.training.loop import Trainer"),
        ("emo_modules/__init__.py", "from .config import EMOConfig"),
        ("emo_modules/extra.py", ""),
        ("emo_training/cli/train.py", "from ..extra import x"),
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
        (
            "emo_training/training/loop.py",
            "from emo_modules.models.emo import EMO\nfrom ..perception import x",
        ),
        ("emo_people/recipe/built_in.py", "from emo_training.training.loop import Trainer"),
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
    ],
)
def test_foreign_imports_are_reported(source: str) -> None:
    assert len(foreign_errors(module("emo_modules/models/unet.py", source))) == 1


def test_nodes_may_import_comfyui() -> None:
    assert foreign_errors(module("nodes/sampler.py", "import comfy.samplers, comfy_api.latest")) == []


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("nodes/sampler.py", "from ..emo_modules import config", "import emo_modules.config"),
        ("emo_modules/pipeline.py", "from . import config", "from emo_modules import config"),
        ("emo_training/__main__.py", "from emo_modules import config", "from ..emo_modules import config"),
        ("emo_people/cli/person.py", "from ..recipe import config", "from emo_people.recipe import config"),
    ],
)
def test_an_import_in_the_other_way_is_reported(path: str, right: str, wrong: str) -> None:
    assert spelling_errors(module(path, right)) == []
    assert len(spelling_errors(module(path, wrong))) == 1


def test_a_cycle_is_reported() -> None:
    first = module("emo_modules/media/first.py", "from . import second")
    second = module("emo_modules/media/second.py", "def f():\n    from .third import g")
    third = module("emo_modules/media/third.py", "from .first import h")
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


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("if config.family == 'hallo':\n    pass", 1),
        ("x = config.family in ('echomimic', 'v_express')", 2),
        ("match family:\n    case 'hallo':\n        pass", 1),
        ("name = 'hallo'", 0),
        ("if part == 'backbone':\n    pass", 0),
    ],
)
def test_a_comparison_with_a_familys_name_is_reported(source: str, count: int) -> None:
    assert len(family_names(module("emo_modules/pipeline.py", source))) == count
