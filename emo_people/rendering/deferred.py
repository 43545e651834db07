"""Deferred shading of the large surfaces: once a pixel, not once a triangle.

A renderer in software shades blocks of 4 x 4 pixels. At 256 px a triangle of the skin covers three pixels, so
that shading triangles shades every pixel about eight times. Here the triangles only write what they are (a
G-buffer); each pixel is shaded from that, and the triangles are drawn again with what was found, for soft
edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .stage import Drawable, Stage, set_uniforms

if TYPE_CHECKING:
    import moderngl

DEFERRED = ("skin", "clothes")  # the programs that begin with gather()
# Textures of the G-buffer and of the light, and their units; those before belong to lamps and displacement.
GATHERED = {"places": 3, "facings": 4, "templates": 5, "marks_there": 6}
LIGHT = {"light": 7}


class Deferred:
    """The light of those of `things` whose programs are deferred, in a picture of `size` (width, height);
    `shared` are uniforms of all programs. Within `with`, which leaves another framebuffer bound."""

    def __init__(
        self, stage: Stage, things: Sequence[Drawable], size: tuple[int, int], shared: Mapping[str, object]
    ) -> None:
        self.stage, self.shared = stage, {**shared, **GATHERED, **LIGHT}
        deferred = [thing for thing in things if thing.program in DEFERRED]
        self.numbers = {thing: k + 1.0 for k, thing in enumerate(deferred)}
        context = stage.context
        self.gathered = [context.texture(size, 4, dtype="f4") for _ in GATHERED]
        self.light, self.depth = context.texture(size, 4, dtype="f2"), context.depth_texture(size)
        self.surfaces = context.framebuffer(self.gathered, self.depth)
        self.shaded = context.framebuffer(self.light, self.depth)

    def __enter__(self) -> Deferred:
        for texture, unit in zip([*self.gathered, self.light], (GATHERED | LIGHT).values(), strict=True):
            texture.use(unit)
        self._gather()
        self._shade()
        return self

    def __exit__(self, *error: object) -> None:
        for frame in (self.surfaces, self.shaded):
            frame.release()
        for texture in (*self.gathered, self.light, self.depth):
            texture.release()

    def draw(self, thing: Drawable) -> None:
        """A thing: with the light that was found where it is deferred, else shaded as it is drawn."""
        number = self.numbers.get(thing, 0.0)
        self.stage.draw(thing, "lit" if number else thing.program, **self.shared, number=number)

    def _gather(self) -> None:
        self.surfaces.use()
        self.surfaces.clear(depth=1.0)
        self.stage.context.enable_only(self.stage.context.DEPTH_TEST)
        for thing, number in self.numbers.items():
            self.stage.draw(thing, "gather", **self.shared, number=number)

    def _shade(self) -> None:
        context = self.stage.context
        self.shaded.use()
        context.enable_only(context.DEPTH_TEST)
        context.depth_func = "1"
        self._fill(self.stage.program("numbers"), **GATHERED)
        context.depth_func = "=="
        for thing, number in self.numbers.items():
            self._fill(self.stage.program(thing.program), **thing.uniforms, **self.shared, number=number)
        context.depth_func = "<"

    def _fill(self, program: moderngl.Program, **uniforms: object) -> None:
        set_uniforms(program, **uniforms)
        screen = self.stage.context.vertex_array(program, [])
        screen.render(vertices=3)
        screen.release()
