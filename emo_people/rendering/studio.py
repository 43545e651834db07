"""Pictures of people, and what is to be seen in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from emo_modules.cues import ibug
from emo_training.perception.pose import rotation_angles

from ..acting.face import Expression, Pose
from ..people.landmarks import LANDMARKS
from ..people.mesh import PARTS, HeadMesh
from ..people.person import Person
from ..people.shape import Shape
from ..people.teeth import TEETH
from .clothes import clothes_of
from .deferred import Deferred
from .framing import Framing, View
from .grooming import groom_uniforms
from .hair.pieces import grown_pieces
from .hair.ribbons import seen_triangles
from .lights import MAX_LAMPS, Lights
from .photograph import photograph
from .pieces import Piece
from .posing import BEHIND, CHIN, EARS, EYES, HAIRLINE, Body, Moment, act, face_vertices, normals
from .scene import Scene, random_scene
from .stage import SAMPLES, Canvas, Drawable, Stage, write
from .surfaces import eye_uniforms, mouth_uniforms, skin_uniforms, teeth_uniforms
from .truth import Displacement, Regions, Truth
from .worn.headwear import RIMS
from .worn.pieces import worn_pieces
from .worn.pressed import pressed

if TYPE_CHECKING:
    import moderngl

CLEAR = ("lens",)  # programs of what one looks through
REGION_OF = {"skin": 0, "right_eye": 1, "left_eye": 1}


class Studio:
    """Draws people; see `Stage` for what a process that has one cannot do."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.triangles = np.concatenate(list(self.stage.mesh.triangles.values()))
        self.wardrobe: tuple[Person, list[tuple[Piece, Drawable]]] | None = None
        self.bare: moderngl.Buffer | None = None  # the index of the skin that the wardrobe does not cover
        self.dressed: tuple[Person, Moment, list[Drawable]] | None = None  # whose vertices the buffers hold
        self.memory: Memory | None = None

    def photograph(
        self,
        person: Person,
        expression: Expression,
        pose: Pose,
        framing: Framing,
        frame: int = 0,
        scene: Scene | None = None,
    ) -> np.ndarray:
        """A picture (H, W, 3) uint8 in a scene, by default the person's own; the camera's noise is that of
        frame number `frame`."""
        scene = scene or random_scene(person.seed)
        light = self.draw(person, expression, pose, framing, scene.lights)
        behind = scene.behind(framing.width, framing.height)
        return photograph(
            light[..., :3] + (1 - light[..., 3:]) * behind, scene.camera_for(person.skin.colour), frame
        )

    def draw(
        self,
        person: Person,
        expression: Expression,
        pose: Pose,
        framing: Framing,
        lights: Lights | None = None,
    ) -> np.ndarray:
        """Linear light (H, W, 4) float32; the last channel is how much of the pixel the person covers."""
        self.stage.enter()
        body = body_of(person.shape)
        view, moment = aim(body, framing), moment_of(person.shape, expression, pose, framing.distance)
        lights = lights or random_scene(person.seed).lights
        things = self._dress(person, body, moment)
        key = np.array(lights.lamps[0].direction) if lights.lamps else np.array([0.0, 1.0, 0.0])
        to_shadow = self.stage.draw_shadows(opaque(things), key, view.centre)
        shared = light_uniforms(lights) | view_uniforms(view, framing) | {"noise_table": 0, "shadows": 1}
        shared |= {"head_turn": moment.rotation.T, "to_shadow": to_shadow}
        self.stage.noise.use(0)
        self.stage.shadow_map.use(1)
        size = framing.width, framing.height
        with (
            Deferred(self.stage, things, size, shared) as lit,
            Canvas(self.stage.context, size, SAMPLES) as canvas,
        ):
            # What is worn lies in front of the rest, which then need not be shaded below it.
            for thing in reversed(opaque(things)):
                lit.draw(thing)
            with canvas.blending():
                for thing in things:
                    if thing.program in CLEAR:
                        lit.draw(thing)
            return canvas.read()

    def truth(self, person: Person, expression: Expression, pose: Pose, framing: Framing) -> Truth:
        body = body_of(person.shape)
        view, moment = aim(body, framing), moment_of(person.shape, expression, pose, framing.distance)
        skull = rigid_vertices(body.mesh)
        rotation = fit_rotation(body.vertices[skull], moment.vertices[skull])
        yaw, pitch, roll = rotation_angles((BEHIND @ rotation.T @ BEHIND)[None])[0]
        points = moment.vertices[LANDMARKS]
        axis = rotation.T @ moment.gaze
        gaze = np.degrees([np.arctan2(axis[0], axis[2]), -np.arcsin(axis[1])])
        irises = [
            body.eye_centre(part, moment.vertices) + body.eye_radius(part) * look
            for part, look in zip(EYES, moment.looks, strict=True)
        ]
        corners = view.project(moment.vertices[face_vertices(body.mesh)])
        return Truth(
            landmarks=view.project(points).astype(np.float32),
            irises=view.project(np.stack(irises)).astype(np.float32),
            face_box=np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32),
            mouth_open=float(ibug.mouth_open(points)),
            mouth_width=float(ibug.mouth_width(points)),
            eye_open=ibug.eye_open(points).astype(np.float32),
            yaw=float(yaw),
            pitch=float(pitch),
            roll=float(roll),
            gaze=(float(gaze[0]), float(gaze[1])),
        )

    def regions(
        self, person: Person, expression: Expression, pose: Pose, framing: Framing, bare: bool = False
    ) -> Regions:
        """bare: without anything that is worn or grows."""
        self.stage.enter()
        body = body_of(person.shape)
        view, moment = aim(body, framing), moment_of(person.shape, expression, pose, framing.distance)
        uniforms = view_uniforms(view, framing)
        face = {"face_low": (-9.0, CHIN, EARS), "face_high": (9.0, HAIRLINE, 9.0)}
        things = opaque(self._dress(person, body, moment))
        if bare:
            things = self._parts(person, body, moment)
        with Canvas(self.stage.context, (framing.width, framing.height)) as canvas:
            for name, thing in zip([*PARTS, *[""] * 99], things, strict=False):
                self.stage.draw(thing, "regions", part=REGION_OF.get(name, 2), **uniforms, **face)
            seen = canvas.read() > 0.5
        return Regions(*(seen[..., k] for k in range(4)))

    def displacement(
        self,
        person: Person,
        first: tuple[Expression, Pose],
        second: tuple[Expression, Pose],
        framing: Framing,
    ) -> Displacement:
        """From the second picture back to the first; quicker for several with one first picture, and where
        the second has just been drawn."""
        self.stage.enter()
        body = body_of(person.shape)
        moments = [moment_of(person.shape, *moment, framing.distance) for moment in (first, second)]
        view, size = aim(body, framing), (framing.width, framing.height)
        memory = self._remember(person, body, moments[0], view, framing)
        things = opaque(self._dress(person, body, moments[1]))
        with Canvas(self.stage.context, size, dtype="f4") as now:
            memory.canvas.depth.use(2)
            for thing in things:
                self.stage.draw(thing, "moved", other_depth=2, size=size, **view_uniforms(view, framing))
            found = now.read()
        person_there = found[..., 3] > 0.5
        field = np.where(person_there[..., None], found[..., :2], 0).astype(np.float32)
        return Displacement(field, np.where(person_there, found[..., 2] > 0.5, memory.covered))

    def _remember(self, person: Person, body: Body, moment: Moment, view: View, framing: Framing) -> Memory:
        """Where every vertex is in the picture of a moment, px and depth, is written into the buffers."""
        if self.memory and self.memory.of == (person, moment, framing):
            return self.memory
        self._forget()
        things = self._dress(person, body, moment)
        canvas = Canvas(self.stage.context, (framing.width, framing.height))
        with canvas.drawing():
            for thing in opaque(things):
                self.stage.draw(thing, "moved", **view_uniforms(view, framing))
            covered = canvas.read()[..., 3] > 0.5
        write(self.stage.body["before"], view.project_deep(moment.vertices))
        assert self.wardrobe is not None  # filled by _dress
        for piece, thing in self.wardrobe[1]:
            vertices = body.turn(piece.follow(body, moment.expressed), piece.turn, moment.pose)
            write(thing.buffers["before"], view.project_deep(vertices))
        self.memory = Memory((person, moment, framing), canvas, covered)
        return self.memory

    def _forget(self) -> None:
        if self.memory:
            self.memory.canvas.release()
        self.memory = None

    def _dress(self, person: Person, body: Body, moment: Moment) -> list[Drawable]:
        """Everything that is drawn of a person, in the order of `PARTS` and then of the pieces, at a
        moment."""
        if self.dressed and self.dressed[1] is moment and self.dressed[0] == person:
            return self.dressed[2]
        write(self.stage.body["place"], moment.vertices)
        write(self.stage.body["normal"], normals(moment.vertices, self.triangles))
        worn = [thing for _, thing in self._wear(person, body, moment)]
        skin, *others = self._parts(person, body, moment)
        things = [skin if self.bare is None else replace(skin, index=self.bare), *others, *worn]
        self.dressed = person, moment, things
        return things

    def _parts(self, person: Person, body: Body, moment: Moment) -> list[Drawable]:
        part = self.stage.part
        skin = skin_uniforms(person.skin, person.shape.age, moment.expression) | groom_uniforms(person)
        eye = [
            eye_uniforms(person.eyes, body, name, moment.vertices, moment.rotation, look)
            for name, look in zip(EYES, moment.looks, strict=True)
        ]
        lips = mouth_uniforms(body, moment.vertices, moment.rotation)
        return [
            part("skin", "skin", **skin, **lips),
            *(part(name, "eye", pattern=skin["pattern"], **own) for name, own in zip(EYES, eye, strict=True)),
            *(
                part(name, "teeth", pattern=skin["pattern"], **teeth_uniforms(person.mouth, name), **lips)
                for name in TEETH
            ),
            part("tongue", "tongue", tongue_colour=person.mouth.tongue, **lips),
        ]

    def _wear(self, person: Person, body: Body, moment: Moment) -> list[tuple[Piece, Drawable]]:
        if self.wardrobe is None or self.wardrobe[0] != person:
            self._undress()
            pieces = pieces_of(person, body)
            self.wardrobe = person, [(piece, self._sew(piece)) for piece in pieces]
            self.bare = self.stage.create_index(uncovered(body.mesh.triangles["skin"], pieces))
        for piece, thing in self.wardrobe[1]:
            flat = piece.follow(body, moment.expressed)
            vertices = body.turn(flat, piece.turn, moment.pose)
            write(thing.buffers["place"], vertices)
            if piece.normals is None:
                facing = normals(vertices, piece.triangles)
            else:
                turned = piece.normals @ moment.rotation.T
                facing = piece.normals + piece.turn[:, None] * (turned - piece.normals)
            write(thing.buffers["normal"], facing)
            if piece.ribbon:
                self.stage.fill_index(thing.index, seen_triangles(piece.triangles, facing, piece.ribbon))
        return self.wardrobe[1]

    def _sew(self, piece: Piece) -> Drawable:
        buffers = self.stage.create_buffers(len(piece.vertices))
        write(buffers["rest"], piece.rest)
        write(buffers["marks"], piece.marks)
        return Drawable(piece.program, buffers, self.stage.create_index(piece.triangles), piece.uniforms)

    def _undress(self) -> None:
        self._forget()
        if self.bare is not None:
            self.bare.release()
        for _, thing in self.wardrobe[1] if self.wardrobe else ():
            for buffer in (*thing.buffers.values(), thing.index):
                buffer.release()


@cache
def own_studio() -> Studio:
    """One for everything that this process draws."""
    return Studio()


@dataclass(frozen=True, eq=False)
class Memory:
    """A picture that displacements lead back to: person, moment and framing, what is nearest in it and
    whether the person covers a pixel (H, W)."""

    of: tuple[Person, Moment, Framing]
    canvas: Canvas
    covered: np.ndarray


@lru_cache(maxsize=8)
def body_of(shape: Shape) -> Body:
    return Body.of(shape)


@lru_cache(maxsize=8)
def moment_of(shape: Shape, expression: Expression, pose: Pose, distance: float) -> Moment:
    """One and the same for everything that is asked of a moment."""
    return act(body_of(shape), expression, pose, distance)


def pieces_of(person: Person, body: Body) -> list[Piece]:
    """What the person wears or grows."""
    grown = grown_pieces(person, body)
    if person.headwear and person.headwear.kind in RIMS:
        grown = pressed(grown, person.headwear, body)
    return [*clothes_of(person.clothes, body), *grown, *worn_pieces(person, body)]


def opaque(things: list[Drawable]) -> list[Drawable]:
    """Those that hide what is behind them."""
    return [thing for thing in things if thing.program not in CLEAR]


def uncovered(triangles: np.ndarray, pieces: list[Piece]) -> np.ndarray:
    """Those of the triangles (T, 3) of which a piece leaves something to see."""
    kept = np.ones(len(triangles), bool)
    for piece in pieces:
        if piece.covers is not None:
            kept &= ~piece.covers[triangles].all(1)
    return triangles[kept]


def aim(body: Body, framing: Framing) -> View:
    return View.aim(framing, *body.face_box)


@cache
def rigid_vertices(mesh: HeadMesh) -> np.ndarray:
    """Numbers (N,) of the vertices of the skull, which no action moves and which turn as one."""
    still = (np.abs(mesh.actions).max((0, 2)) == 0) & (mesh.turn == 1)
    return np.flatnonzero(still)


def fit_rotation(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that takes points (N, 3) nearest to others (Kabsch)."""
    left, _, right = np.linalg.svd((after - after.mean(0)).T @ (before - before.mean(0)))
    return np.asarray(left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right)


def view_uniforms(view: View, framing: Framing) -> dict[str, object]:
    size = np.array([framing.width, framing.height])
    return {
        "centre": view.centre,
        "middle": (2 * np.array([view.x, view.y]) / size - 1) * [1, -1],
        "scale": 2 * view.scale / size,
        "pixel": 1 / view.scale,
        "away": view.distance,
        "camera": view.centre + np.array([0, 0, view.distance]),
    }


def light_uniforms(lights: Lights) -> dict[str, object]:
    rest = MAX_LAMPS - len(lights.lamps)
    return {
        "lamp_direction": [lamp.direction for lamp in lights.lamps] + [(0.0, 1.0, 0.0)] * rest,
        "lamp_colour": [lamp.colour for lamp in lights.lamps] + [(0.0, 0.0, 0.0)] * rest,
        "lamp_softness": [lamp.softness for lamp in lights.lamps] + [0.0] * rest,
        "environment": lights.environment,
    }
