"""A person's hair as what is drawn."""

from __future__ import annotations

import numpy as np

from ...people.hair import Hair
from ...people.person import Person
from ..pieces import Piece
from ..posing import Body
from .fur import beard_pieces, brow_pieces
from .growth import clump, curl, grow, unit
from .lashes import lash_pieces
from .ribbons import Strands, ribbons
from .scalp import Roots, Surface, inside_hairline, plant
from .styles import STYLES, Style, tie_of
from .tied import tied_strands

SHORN, TIED = ("bald", "shaved"), ("ponytail", "bun")
NECK = (5.55, 6.55)  # dm on the template: hair takes none of the head's turn below, all above


def grown_pieces(person: Person, body: Body) -> list[Piece]:
    """Hair, brows, lashes and beard."""
    surface, dice = Surface(body), np.random.default_rng([person.seed, 4])
    hair, brows, lashes, beard = dice.spawn(4)
    return [
        *hair_pieces(person.hair, surface, hair),
        *brow_pieces(person.brows, surface, brows),
        *lash_pieces(body, person.eyes.lashes, lashes),
        *beard_pieces(person.beard, surface, beard),
    ]


def hair_pieces(hair: Hair, surface: Surface, rng: np.random.Generator) -> list[Piece]:
    """Ribbons of the hair on the head; none where the skin's shader draws it alone."""
    if hair.kind in SHORN:
        return []
    style, body = STYLES[hair.kind], surface.body
    roots = thin_out(plant(surface, np.array(hair.hairline), style.ribbons, rng), hair, rng)
    all_strands = [head_strands(hair, style, surface, roots, rng)]
    if hair.kind in TIED:
        all_strands.append(tied_strands(hair, surface, tie_of(hair), rng))
    return [sewn(strands, hair, style, body, rng) for strands in all_strands]


def thin_out(roots: Roots, hair: Hair, rng: np.random.Generator) -> Roots:
    """Fewer roots on a bare crown."""
    x, y, z = roots.template.T
    crown = np.clip(1.3 - np.hypot(x / 0.75, (z - 0.35) / 0.9), 0, 1) * np.clip((y - 7.75) / 0.25, 0, 1)
    return roots.pick(rng.random(len(x)) > np.minimum(1.6 * hair.thinning * crown, 0.97))


def head_strands(
    hair: Hair, style: Style, surface: Surface, roots: Roots, rng: np.random.Generator
) -> Strands:
    growth = style.grow(hair, surface.body, roots, rng)
    points, normals = grow(surface, roots, growth, rng)
    strength, size = style.clumps
    points = clump(points, strength * (0.4 + 0.8 * hair.mess), size, rng)
    radius, turns, tight = style.wave
    extra = 0.03 * hair.wave if hair.kind in ("bob", "side_part", "fringe", "messy", "straight") else 0.0
    points = curl(points, normals, radius * (0.6 + 0.6 * hair.wave) + extra, turns, tight, rng)
    # Hair as a whole is rounder than the skull below it.
    centre = surface.body.mesh.joint("head", surface.body.vertices) + [0, 0.55, 0.3]
    facing = unit(normals + 0.7 * unit(points - centre))
    deep = growth.layer / max(float(growth.layer.max()), 1e-6)
    light = (0.35 + 0.65 * deep**0.7)[:, None] * np.linspace(0.75, 1, points.shape[1])
    depth = inside_hairline(roots.template, np.array(hair.hairline))
    # Single hairs at the hairline, locks behind.
    width = style.width * rng.uniform(0.6, 1.4, len(points)) * np.clip(0.3 + 3 * depth, 0.3, 1)
    # What is drawn first hides the rest, which then costs nothing.
    order = np.argsort(-growth.layer)
    return Strands(points[order], facing[order], light[order], width[order])


def sewn(strands: Strands, hair: Hair, style: Style, body: Body, rng: np.random.Generator) -> Piece:
    made = ribbons(strands, rng, style.twist, style.tip)
    return Piece(
        "hair",
        turn=share_of_turn(made["vertices"], body),
        uniforms=uniforms(hair, style),
        ribbon=2 * strands.points.shape[1],
        **made,
    )


def share_of_turn(vertices: np.ndarray, body: Body) -> np.ndarray:
    """Of the head's turn (N,): all beside the head, none on the shoulders."""
    offset = body.mesh.joint("neck", body.vertices)[1] - 5.89
    share = np.clip((vertices[:, 1] - offset - NECK[0]) / (NECK[1] - NECK[0]), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def uniforms(hair: Hair, style: Style) -> dict[str, object]:
    return {
        "hair_colour": hair.colour,
        "tip_colour": hair.tips,
        "grey": hair.grey,
        "hairs": style.hairs,
        "solid": 1.0,
        "shine": 0.25 + 0.5 * (1 - hair.mess),
        "roughness": style.disorder,
    }
