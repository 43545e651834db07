"""The shape of a head: MakeHuman's age, sex, build and origin, and 300 changes of single features."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from .lips import shut_lips
from .mesh import HeadMesh, head
from .teeth import seat_teeth

AGES = {"baby": 1.0, "child": 11.0, "young": 25.0, "old": 90.0}  # years of the mesh's targets
ORIGINS = ("african", "asian", "caucasian")
OPPOSITES = (
    ("incr", "decr"), ("up", "down"), ("out", "in"), ("forward", "backward"), ("convex", "concave"),
    ("compress", "uncompress"), ("round", "square"), ("pointed", "triangle"),
)  # fmt: skip
HEADS = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
AGE_GROUPS, AGE_SHARES = ((4, 16), (16, 40), (35, 65), (60, 90)), (0.12, 0.45, 0.28, 0.15)
SPREAD = 0.22  # standard deviation of a feature, whose targets are the extremes at 1
ASYMMETRY = 0.03  # of the two sides
HEAD_FORM = 0.3  # of one of HEADS at most
# What the spread is multiplied with. Many targets of one region add up; and lids must close, the head sit on
# its neck, the skull stay round. The first name that fits counts.
CALMER = {
    "eye-push": 0.3, "eye-height": 0.5, "eye-scale": 0.7, "eye-trans": 0.5, "eye-corner": 0.7,
    "head-trans": 0.1, "head-angle": 0.3, "head-age": 0.2, "head-scale": 0.4, "head-back": 0.7,
    "head-fat": 0.8, "nubian": 0.2, "forehead": 0.5, "neck-trans": 0.2, "neck-scale": 0.6,
    "measure-neck": 0.4, "neck-double": 0.6, "mouth-trans-in": 0.1, "mouth-trans": 0.5, "mouth-scale": 0.7,
    "nose-trans-in": 0.1, "nose-trans": 0.5, "nose": 0.75, "chin-prognathism": 0.5, "chin-jaw-drop": 0.4,
    "chin-height": 0.6, "chin": 0.75, "cheek-trans": 0.6, "ear-shape": 0.6,
}  # fmt: skip

# Without these means faces at rest look grim: the template droops its mouth, and the targets that press brows
# go farther than those that lift them.
CALM = {"mouth-angles-up": 0.55, "eyebrows-angle-up": 0.4, "eyebrows-trans-up": 0.35}

# What the years add between AGEING, on both sides alike: skin slackens, cheeks and lips thin, ears grow.
AGEING = (45, 85)
AGED = {
    ("head-age-incr",): 0.8, ("neck-double-incr",): 0.5, ("l-eye-bag-incr", "r-eye-bag-incr"): 0.8,
    ("l-eye-eyefold-down", "r-eye-eyefold-down"): 0.5, ("l-cheek-trans-down", "r-cheek-trans-down"): 0.5,
    ("l-cheek-volume-decr", "r-cheek-volume-decr"): 0.4, ("l-ear-scale-incr", "r-ear-scale-incr"): 0.4,
    ("mouth-upperlip-volume-decr", "mouth-lowerlip-volume-decr"): 0.5, ("mouth-angles-down",): 0.25,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """age in years (1..90); female, muscle, weight 0..1; shares of three origins (3,); values 0..1 of
    targets."""

    age: float
    female: float
    muscle: float
    weight: float
    origins: tuple[float, float, float]
    targets: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        if not AGES["baby"] <= self.age <= AGES["old"]:
            raise ValueError(f"a shape's age must lie in 1..90 years, got {self.age}")


def random_shape(rng: np.random.Generator) -> Shape:
    """From children of four years to old people, most of them grown."""
    youngest, oldest = AGE_GROUPS[rng.choice(len(AGE_GROUPS), p=AGE_SHARES)]
    age = float(rng.uniform(youngest, oldest))
    origins = rng.dirichlet([0.4, 0.4, 0.4])
    targets = {f"head-{kind}": rng.uniform(0, HEAD_FORM) for kind in rng.choice(HEADS, 1)}
    for name, opposite, mirrored in _features():
        value = np.clip(rng.normal(CALM.get(name, 0.0), SPREAD * _calm(name)), -1, 1)
        for own, other in ((name, opposite), *mirrored):
            side = np.clip(value + rng.normal(0, ASYMMETRY), -1, 1) if mirrored else value
            if side > 0 or other:
                targets[own if side > 0 else other] = abs(float(side))
    for name in rng.choice([n for n in head().shape_names if n.startswith("asym-")], 5, replace=False):
        targets[str(name)] = rng.uniform(0, 0.3)
    aged = np.clip((age - AGEING[0]) / (AGEING[1] - AGEING[0]), 0, 1)
    for names, most in AGED.items():
        grown = aged * most * rng.uniform(0.2, 1)
        targets |= {name: min(targets.get(name, 0) + grown, 1.0) for name in names if grown > 0}
    female = float(np.clip(rng.choice([rng.normal(0.08, 0.08), rng.normal(0.92, 0.08)]), 0, 1))
    return Shape(
        age=age,
        female=female,
        muscle=float(np.clip(rng.normal(0.5, 0.2), 0, 1)),
        weight=float(np.clip(rng.normal(0.5, 0.22), 0, 1)),
        origins=(float(origins[0]), float(origins[1]), float(origins[2])),
        targets=tuple(sorted((name, round(float(value), 4)) for name, value in targets.items())),
    )


def shape_vertices(shape: Shape) -> np.ndarray:
    """(V, 3) float32: the neutral face, arms hanging down. Raises ValueError for an unknown target."""
    mesh = head()
    weights = np.array([_macro_weight(shape, name) for name in mesh.macro_names], np.float32)
    vertices = mesh.template + np.tensordot(weights, mesh.macros, 1)
    for name, value in shape.targets:
        vertices = vertices + np.float32(value) * mesh.shape(name)
    return _lower_arms(mesh, seat_teeth(mesh, shut_lips(mesh, vertices), shape.age))


def _calm(name: str) -> float:
    return next((share for part, share in CALMER.items() if part in name), 1.0)


@cache
def _features() -> tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]:
    """Target, its opposite or "", and, for what exists on both sides, those two of each side."""
    names = set(head().shape_names)
    found = []
    for name in sorted(names):
        if name.startswith(("asym", "r-", *(f"head-{kind}" for kind in HEADS))):
            continue
        stem, _, end = name.rpartition("-")
        pair = next((pair for pair in OPPOSITES if end in pair), None)
        opposite = f"{stem}-{pair[1]}" if pair and end == pair[0] else ""
        if pair and end == pair[1] and f"{stem}-{pair[0]}" in names:
            continue
        other = f"r-{name[2:]}", f"r-{opposite[2:]}" if opposite else ""
        mirrored = ((name, opposite), other) if name.startswith("l-") else ()
        found.append((name, opposite, mirrored))
    return tuple(found)


def _macro_weight(shape: Shape, name: str) -> float:
    """How much of one of MakeHuman's macro targets a shape has: the product of what its name holds."""
    first, sex, age, *build = name.split("-")
    weight = _between(age, list(AGES.values()), list(AGES), shape.age)
    weight *= shape.female if sex == "female" else 1 - shape.female
    if first != "universal":
        return weight * shape.origins[ORIGINS.index(first)] / sum(shape.origins)
    for value, word in ((shape.muscle, build[0]), (shape.weight, build[1])):
        weight *= _between(word[:3], [0.0, 0.5, 1.0], ["min", "ave", "max"], value)
    return weight


def _between(name: str, places: list[float], names: list[str], value: float) -> float:
    """The share of the anchor `name` when `value` is interpolated linearly between the anchors."""
    anchors = [float(name == other) for other in names]
    return float(np.interp(value, places, anchors))


def _lower_arms(mesh: HeadMesh, vertices: np.ndarray) -> np.ndarray:
    """The mesh stands with its arms apart; hanging ones stay out of the picture."""
    lowered = vertices.copy()
    for side, sign in (("l", -1), ("r", 1)):
        shoulder, elbow = (mesh.joint(f"{side}-{name}", vertices) for name in ("shoulder", "elbow"))
        down = np.arctan2(elbow[0] - shoulder[0], shoulder[1] - elbow[1])
        own = vertices[:, 0] * -sign > 0
        angle = (np.radians(-sign * 8) - down) * mesh.arm[own]
        x, y = (vertices[own, :2] - shoulder[:2]).T
        cos, sin = np.cos(angle), np.sin(angle)
        lowered[own, 0] = shoulder[0] + cos * x - sin * y
        lowered[own, 1] = shoulder[1] + sin * x + cos * y
    return lowered
