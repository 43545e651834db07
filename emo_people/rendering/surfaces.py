"""What the shaders of the face are told about a person: the uniforms of skin.frag, eye.frag, mouth.frag; and
of its clothes, for clothes.frag."""

import numpy as np

from ..acting.face import ACTIONS, Expression
from ..people.clothes import PATTERNS, Fabric
from ..people.looks import SPOTS, Eyes, Mouth, Skin
from ..people.rims import lid_lines, lip_lines
from ..people.scars import Scar
from .posing import EYES, Body

# How actions, each with its side, deepen the folds of wrinkles.glsl.
DEEPENED = {
    0: {"browInnerUp": 0.7, "browOuterUp": 0.6},
    1: {"browDown": 0.8, "noseSneer": 0.3},
    2: {"mouthSmile": 0.6, "eyeSquint": 0.6, "cheekSquint": 0.6},
    3: {"mouthSmile": 0.8, "noseSneer": 0.8, "mouthUpperUp": 0.5, "mouthStretch": 0.3, "cheekSquint": 0.3},
    4: {"mouthSmile": 0.3, "cheekSquint": 0.6, "eyeSquint": 0.5},
    5: {"mouthFrown": 0.7, "mouthStretch": 0.3, "mouthPress": 0.3},
    6: {"mouthPucker": 0.7, "mouthShrug": 0.2},
}
# dm along the arch, from the middle.
TOOTH_WIDTHS = {
    "upper_teeth": (0.085, 0.066, 0.077, 0.07, 0.068, 0.1, 0.3),
    "lower_teeth": (0.054, 0.06, 0.069, 0.07, 0.072, 0.11, 0.3),
}
LIP_STEPS = 9  # as in mouth.glsl
SIDES = ("Right", "Left")  # of the person, from the viewer's left
NO_SCAR = Scar(x=9.0, y=9.0, length=0.1, width=0.01, angle=0.0, blood=0.0)


def skin_uniforms(skin: Skin, age: float, expression: Expression) -> dict[str, object]:
    make_up, scar = skin.make_up, skin.scar or NO_SCAR
    spots = [*skin.spots, *[(9.0, 9.0, 0.01, 0.0)] * SPOTS][:SPOTS]
    return {
        "skin_colour": skin.colour,
        "lip_colour": skin.lips,
        "shine": 0.78 - 0.33 * skin.shine,
        "blood": skin.blood,
        "freckles": skin.freckles,
        "blotches": skin.blotches,
        "rings": skin.rings,
        "pores": skin.pores,
        "slack": skin.slack,
        "pale_patches": skin.pale_patches,
        "folds": _folds(skin, age, expression),
        "spots": spots,
        "spot_count": len(skin.spots),
        "scar": (scar.x, scar.y, scar.length, scar.width),
        "scar_look": (np.cos(scar.angle), np.sin(scar.angle), scar.blood),
        "pattern": 32 * np.array(skin.pattern),
        "lipstick": make_up.lipstick,
        "eye_shadow": make_up.eye_shadow,
        "rouge": make_up.rouge,
        "liner": make_up.liner,
        "foundation": make_up.foundation,
    }


def fabric_uniforms(fabric: Fabric) -> dict[str, object]:
    return {
        "colour_of": fabric.colour,
        "second_of": fabric.second,
        "pattern": PATTERNS.index(fabric.pattern),
        "pattern_scale": fabric.scale,
        "cloth_shine": fabric.shine,
        "fold_depth": fabric.folds,
    }


def eye_uniforms(
    eyes: Eyes, body: Body, part: str, vertices: np.ndarray, rotation: np.ndarray, gaze: np.ndarray
) -> dict[str, object]:
    """Of one of EYES on the turned head's vertices (V, 3); rotation (3, 3) is the head's, gaze (3,) where it
    looks."""
    centre, radius = body.eye_centre(part, vertices), body.eye_radius(part)
    number = EYES.index(part)
    upper, lower = (
        (vertices[line] - centre) @ rotation[:, :2] / radius for line in lid_lines(body.mesh, part)
    )
    return {
        "eye_centre": centre,
        "eye_axis": gaze,
        "eye_radius": radius,
        "head_right": rotation[:, 0],
        "head_up": rotation[:, 1],
        "iris_colour": eyes.colours[number],
        "iris_ring": eyes.ring,
        "eye_white": eyes.white,
        "iris": np.arcsin(min(eyes.iris / radius, 0.9)),
        "pupil": eyes.pupil,
        "limbal": eyes.limbal,
        "veins": eyes.veins,
        "upper_lid": _edge(upper),
        "lower_lid": _edge(lower),
        "inner_corner": upper[0],
    }


def mouth_uniforms(body: Body, vertices: np.ndarray, rotation: np.ndarray) -> dict[str, object]:
    """Where the lips are on the turned head's vertices (V, 3); rotation (3, 3) is the head's."""
    lines = [vertices[line] for line in lip_lines(body.mesh)]
    place = (lines[0][0] + lines[0][-1]) / 2
    upper, lower = ((line - place) @ rotation for line in lines)
    reach = (upper[-1, 0] - upper[0, 0]) / 2
    steps = np.linspace(-reach, reach, LIP_STEPS)
    return {
        "mouth_place": place,
        "head_right": rotation[:, 0],
        "head_up": rotation[:, 1],
        "mouth_reach": reach,
        "upper_line": np.interp(steps, np.maximum.accumulate(upper[:, 0]), upper[:, 1]),
        "lower_line": np.interp(steps, np.maximum.accumulate(lower[:, 0]), lower[:, 1]),
        "lips_forward": (max(upper[len(upper) // 2, 2], lower[len(lower) // 2, 2]), 0.0),
    }


def teeth_uniforms(mouth: Mouth, part: str) -> dict[str, object]:
    """Of one of TEETH."""
    widths = TOOTH_WIDTHS[part]
    return {
        "tooth_colour": mouth.teeth,
        "gum_colour": mouth.gums,
        "tooth_ends": np.append(0, np.cumsum(widths)),
        "root": 1.0 if part == "upper_teeth" else -1.0,
        "crooked": mouth.crooked,
        "spaced": mouth.spaced,
    }


def _edge(points: np.ndarray) -> np.ndarray:
    """y by powers of x, (4,), of a curve near points (N, 2)."""
    powers = points[:, :1] ** np.arange(4)
    return np.linalg.lstsq(powers, points[:, 1], rcond=None)[0]


def _folds(skin: Skin, age: float, expression: Expression) -> np.ndarray:
    """(8, 2): at rest, and by the actions, which fold young skin less."""
    folds = np.array(skin.folds)[:, None].repeat(2, 1)
    stiff = np.clip(0.25 + age / 55, 0.3, 1)
    for row, actions in DEEPENED.items():
        for stem, share in actions.items():
            names = [[name for name in (stem, stem + side) if name in ACTIONS] for side in SIDES]
            for column, found in enumerate(names):
                folds[row, column] += stiff * share * sum(expression.actions[ACTIONS.index(n)] for n in found)
    return np.clip(folds, 0, 1.3)
