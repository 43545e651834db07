"""What is drawn with: meshes in buffers, programs, the shadow map, canvases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from ..people.landmarks import LANDMARKS
from ..people.mesh import HeadMesh, head
from ..people.teeth import TEETH, along_arch
from .context import create_context, load_program
from .posing import normals

if TYPE_CHECKING:
    import moderngl

SHADOW_SIDE = 512
SHADOW_REACH = 3.2  # dm around the face that cast shadows
NOISE_SIDE = 32
SAMPLES = 4
ATTRIBUTES = (("place", 3), ("normal", 3), ("rest", 3), ("marks", 4), ("before", 3))
# What fragment shaders use beside light.glsl.
INCLUDED: dict[str, tuple[str, ...]] = {
    "skin": ("gathered.glsl", "wrinkles.glsl", "lips.glsl", "mouth.glsl", "groom.glsl"),
    "clothes": ("gathered.glsl",),
    "regions": ("lips.glsl",),
    "teeth": ("mouth.glsl",),
    "tongue": ("mouth.glsl",),
}
EYES_OF_68 = (range(36, 42), range(42, 48))
LID_REACH = 0.05  # dm
# OpenGL's names for what moderngl has none for: alpha says how many of a pixel's samples are drawn, as 1.
ALPHA_TO_COVERAGE, ALPHA_TO_ONE = 0x809E, 0x809F
# The factors of what is new and of what was there: two for colours, two for how much the person covers.
BLENDED = (0x0302, 0x0303, 0x0001, 0x0303)
# Of the programs that do not use mesh.vert.
VERTEX_SHADERS = {
    "hair": "hair.vert",
    "shadow": "shadow.vert",
    **dict.fromkeys(("numbers", "skin", "clothes"), "screen.vert"),
}
CLOSED = ("skin",)  # programs of surfaces that show only their outer side
VIEWS = 96  # from which the template is looked at for the light that reaches its vertices


@dataclass(frozen=True, eq=False)
class Drawable:
    """Triangles (of an index buffer) over vertices in buffers, and the program and uniforms that colour
    them."""

    program: str
    buffers: dict[str, moderngl.Buffer]
    index: moderngl.Buffer
    uniforms: dict[str, object] = field(default_factory=dict)


class Stage:
    """The OpenGL context with the body's mesh in it. One per process, and no subprocess after it."""

    def __init__(self) -> None:
        self.context = create_context()
        self.mesh = head()
        self.programs: dict[str, moderngl.Program] = {}
        self.noise = self._create_noise()
        self.shadow_map = self.context.depth_texture((SHADOW_SIDE,) * 2)
        self.shadow_map.compare_func = ""
        # Otherwise the far side of the map casts a line of shadows at its border.
        self.shadow_map.repeat_x = self.shadow_map.repeat_y = False
        self.shadow_frame = self.context.framebuffer(depth_attachment=self.shadow_map)
        self.body = self.create_buffers(len(self.mesh.template))
        self.indices = {part: self.create_index(triangles) for part, triangles in self.mesh.triangles.items()}
        write(self.body["rest"], self.mesh.template)
        write(self.body["marks"], self._marks())

    def enter(self) -> None:
        """Makes this stage's context the one that OpenGL's calls go to: another stage's may be."""
        self.context.__enter__()

    def create_buffers(self, count: int) -> dict[str, moderngl.Buffer]:
        return {name: self.context.buffer(reserve=count * 4 * width) for name, width in ATTRIBUTES}

    def create_index(self, triangles: np.ndarray) -> moderngl.Buffer:
        return self.context.buffer(np.ascontiguousarray(triangles, np.int32).tobytes())

    def fill_index(self, index: moderngl.Buffer, triangles: np.ndarray) -> None:
        """Other triangles (T, 3) int32 in an index buffer."""
        index.orphan(triangles.nbytes)
        index.write(np.ascontiguousarray(triangles).tobytes())

    def part(self, name: str, program: str, **uniforms: object) -> Drawable:
        """A part of the body's mesh."""
        return Drawable(program, self.body, self.indices[name], uniforms)

    def program(self, name: str) -> moderngl.Program:
        """`name`.frag over its vertex shader, with the functions of light.glsl and what else it uses."""
        if name not in self.programs:
            self.programs[name] = program = load_program(
                self.context,
                VERTEX_SHADERS.get(name, "mesh.vert"),
                f"{name}.frag",
                "light.glsl",
                *INCLUDED.get(name, ()),
            )
            # moderngl goes through all of a program's members to find one, and a picture asks for thousands.
            program.extra = {member: program[member] for member in program}
        return self.programs[name]

    def draw(self, thing: Drawable, name: str, **uniforms: object) -> None:
        """A thing with its vertices as they are, by program `name`."""
        program = self.program(name)
        set_uniforms(program, **thing.uniforms, **uniforms)
        used = [
            (thing.buffers[name], f"{width}f", name) for name, width in ATTRIBUTES if name in program.extra
        ]
        array = self.context.vertex_array(program, used, thing.index)
        with self.closed(thing.program in CLOSED):
            array.render()
        array.release()

    @contextmanager
    def closed(self, culled: bool) -> Iterator[None]:
        """Where `culled`, triangles that face away are left out before they are shaded."""
        if culled:
            self.context.enable(self.context.CULL_FACE)
        yield
        self.context.disable(self.context.CULL_FACE)

    def draw_shadows(
        self, things: Iterable[Drawable], direction: np.ndarray, centre: np.ndarray
    ) -> np.ndarray:
        """Fills the shadow map as seen from a lamp in `direction` (3,); the matrix (4, 4) to its view."""
        matrix = look_from(direction, centre, SHADOW_REACH)
        self.shadow_frame.use()
        self.shadow_frame.clear(depth=1.0)
        self.context.enable_only(self.context.DEPTH_TEST)
        for thing in things:
            self.draw(thing, "shadow", to_shadow=matrix)
        return matrix

    def _create_noise(self) -> moderngl.Texture3D:
        table = np.random.default_rng(0).random((NOISE_SIDE,) * 3, np.float32)
        return self.context.texture3d((NOISE_SIDE,) * 3, 1, table.tobytes(), dtype="f4")

    def _marks(self) -> np.ndarray:
        """Of the body (V, 4): lips, inside of the mouth, light that reaches the place, nearness to the edge
        of a lid (each 0..1)."""
        marks = np.zeros((len(self.mesh.template), 4), np.float32)
        marks[:, 0] = lips(self.mesh)
        marks[:, 2] = self._open_to_light()
        x, y, z = self.mesh.template.T
        near = (abs(x) < 0.5) & (y > 6.25) & (y < 7.0) & (z < 1.48) & (z > 0.3)
        marks[:, 1] = near & (marks[:, 2] < 0.06)
        marks[:, 3] = lid_edges(self.mesh)
        for part in TEETH:
            # Other marks: those of teeth.frag.
            marks[self.mesh.vertices_of(part), :2] = along_arch(self.mesh, part)
        return marks

    def _open_to_light(self) -> np.ndarray:
        """The share of the surroundings (V,) that each vertex of the template sees."""
        vertices, skin = self.mesh.template, [self.part("skin", "")]
        facing = normals(vertices, self.mesh.triangles["skin"])
        write(self.body["place"], vertices)
        seen, sum_of_weights = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
        for direction in spread(VIEWS):
            matrix = self.draw_shadows(skin, direction, np.array([0, 7.0, 0.6]))
            at = np.c_[vertices + 0.02 * facing, np.ones(len(vertices))] @ matrix.T
            column, row = (
                np.clip((at[:, k] * 0.5 + 0.5) * SHADOW_SIDE, 0, SHADOW_SIDE - 1).astype(int) for k in (0, 1)
            )
            depth = np.frombuffer(self.shadow_map.read(), np.float32).reshape(SHADOW_SIDE, SHADOW_SIDE)
            weight = np.maximum(facing @ direction, 0)
            free = at[:, 2] * 0.5 + 0.5 <= depth[row, column] + 0.003
            seen += weight * (free | (np.abs(at[:, :2]) >= 1).any(1))
            sum_of_weights += weight
        return seen / sum_of_weights


class Canvas:
    """A picture to draw on; with several samples a pixel it has soft edges."""

    def __init__(
        self, context: moderngl.Context, size: tuple[int, int], samples: int = 0, dtype: str = "f2"
    ) -> None:
        self.context, self.size, self.dtype = context, size, dtype
        self.texture = context.texture(size, 4, dtype=dtype)
        self.depth = context.depth_texture(size)
        self.depth.compare_func = ""
        self.frame = self.resolved = context.framebuffer(self.texture, self.depth)
        self.held: list[Any] = [self.frame, self.texture, self.depth]
        if samples:
            colour = context.renderbuffer(size, 4, samples=samples, dtype=dtype)
            depth = context.depth_renderbuffer(size, samples=samples)
            self.frame = context.framebuffer(colour, depth)
            self.held = [self.frame, colour, depth, *self.held]

    def __enter__(self) -> Canvas:
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        self._cover_samples(False)
        self.release()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """As `with` the canvas itself, which is then kept until `release`."""
        self._begin()
        yield
        self._cover_samples(False)

    def release(self) -> None:
        for thing in self.held:
            thing.release()

    def _begin(self) -> None:
        self.frame.use()
        self.frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self.context.enable_only(self.context.DEPTH_TEST)
        if self.frame is not self.resolved:
            self._cover_samples(True)

    @contextmanager
    def blending(self) -> Iterator[None]:
        """For what one looks through, over all that is behind it: alpha is a share of the light, not of the
        samples, among which renderers dither."""
        self._cover_samples(False)
        self.context.enable(self.context.BLEND)
        self.context.blend_func = BLENDED  # type: ignore[assignment]  # the stub knows two of them
        yield
        self.context.disable(self.context.BLEND)
        self._cover_samples(True)

    def _cover_samples(self, covered: bool) -> None:
        change = self.context.enable_direct if covered else self.context.disable_direct
        change(ALPHA_TO_COVERAGE)
        change(ALPHA_TO_ONE)

    def read(self) -> np.ndarray:
        """(H, W, 4) float32, the top row first."""
        if self.frame is not self.resolved:
            self.context.copy_framebuffer(self.resolved, self.frame)
        pixels = np.frombuffer(self.resolved.read(components=4, dtype=self.dtype), f"<{self.dtype}")
        return pixels.reshape(self.size[1], self.size[0], 4)[::-1].astype(np.float32)


def write(buffer: moderngl.Buffer, values: np.ndarray) -> None:
    buffer.write(np.ascontiguousarray(values, np.float32).tobytes())


def set_uniforms(program: moderngl.Program, **values: object) -> None:
    """Those of the values that a program of the stage uses; an int is a texture's unit. Matrices are given
    by rows."""
    for name, value in values.items():
        uniform: Any = program.extra.get(name)
        if uniform is None:
            continue
        if isinstance(value, int):
            uniform.value = value
        else:
            array = np.asarray(value, np.float32)
            uniform.write((array.T if array.shape == (4, 4) else array).tobytes())


def look_from(direction: np.ndarray, centre: np.ndarray, reach: float) -> np.ndarray:
    """The matrix (4, 4) of a parallel view from `direction` onto what lies within `reach` of `centre`."""
    forward = np.asarray(direction, float) / np.linalg.norm(direction)
    side = np.cross([0.0, 1.0, 0.0] if abs(forward[1]) < 0.95 else [1.0, 0.0, 0.0], forward)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(forward, side), -forward]) / reach
    return np.block([[axes, -(axes @ centre)[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])


def spread(count: int) -> np.ndarray:
    """Unit vectors (count, 3) all around (a Fibonacci sphere)."""
    k = np.arange(count) + 0.5
    height, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    around = np.sqrt(1 - height**2)
    return np.stack([around * np.cos(angle), height, around * np.sin(angle)], 1)


@cache
def lips(mesh: HeadMesh) -> np.ndarray:
    """How much a vertex (V,) belongs to the lips, 0..1: those are what the targets for full lips move."""
    moved = sum(
        np.linalg.norm(mesh.shape(f"mouth-{lip}lip-volume-incr"), axis=1) for lip in ("upper", "lower")
    )
    return np.asarray(moved / np.max(moved), np.float32)


@cache
def lid_edges(mesh: HeadMesh) -> np.ndarray:
    """How near a vertex (V,) lies to the edges of the lids on the template: 1 there, 0 LID_REACH away."""
    corners = [LANDMARKS[[*eye, eye[0]]] for eye in EYES_OF_68]
    lines = [np.linspace(mesh.template[a], mesh.template[b], 8) for eye in corners for a, b in pairwise(eye)]
    distances, _ = cKDTree(np.concatenate(lines)).query(mesh.template)
    return np.clip(1 - distances / LID_REACH, 0, 1).astype(np.float32)
