"""One person's mesh with an expression and a pose."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from emo_training.perception.pose import rotation_matrices

from ..acting.face import ACTIONS, Expression, Pose
from ..people.mesh import HeadMesh, head
from ..people.rims import lid_lines
from ..people.shape import Shape, shape_vertices

# On the template, dm: the lowest point of the chin, where hair begins, how far back the ears reach.
CHIN, HAIRLINE, EARS = 6.2, 7.95, 0.5
JAW, BELOW = 6.45, 1.2  # lower than JAW, what lies farther back than BELOW is under the chin
BEHIND = np.diag([1.0, 1.0, -1.0])  # pose.py sees the head's axes from behind
PIVOT = 0.45  # of the way from the neck's joint to the head's: what the head turns about
SWAY = 0.4  # of the head's shift that the shoulders take
LIDS = {"Up": 25.0, "Down": 30.0, "In": 35.0, "Out": 35.0}  # degrees of gaze at which such an action is 1
BLINKS = [ACTIONS.index(f"eyeBlink{side}") for side in ("Left", "Right")]
EYES = ("right_eye", "left_eye")  # of the person; the right eye is to the viewer's left


@dataclass(frozen=True)
class Body:
    """The neutral mesh of one person: vertices (V, 3), dm."""

    vertices: np.ndarray

    @classmethod
    def of(cls, shape: Shape) -> "Body":
        return cls(shape_vertices(shape).astype(np.float32))

    @cached_property
    def mesh(self) -> HeadMesh:
        return head()

    @cached_property
    def pivot(self) -> np.ndarray:
        neck, skull = (self.mesh.joint(name, self.vertices) for name in ("neck", "head"))
        return neck + PIVOT * (skull - neck)

    @cached_property
    def face_box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest corner (3,) of the neutral face: ear to ear, hairline to chin."""
        face = self.vertices[face_vertices(self.mesh)]
        return face.min(0), face.max(0)

    def eye_centre(self, part: str, vertices: np.ndarray) -> np.ndarray:
        """The middle (3,) of an eyeball among the body's vertices (V, 3)."""
        return np.asarray(vertices[self.mesh.vertices_of(part)].mean(0))

    def eye_radius(self, part: str) -> float:
        ball = self.vertices[self.mesh.vertices_of(part)]
        return float(np.linalg.norm(ball - ball.mean(0), axis=1).mean())

    @cached_property
    def size(self) -> float:
        """Of the face against the template's: the mesh's actions are of the template's size."""
        own, usual = (
            np.linalg.norm(self.mesh.joint("l-eye", v) - self.mesh.joint("r-eye", v))
            for v in (self.vertices, self.mesh.template)
        )
        return float(own / usual)

    @cached_property
    def reach(self) -> np.ndarray:
        """How far each of the mesh's actions goes (52,): as large as the face, and a blink as wide as the
        eye is open."""
        reach = np.full(len(ACTIONS), self.size, np.float32)
        for number, part in zip(BLINKS, ("left_eye", "right_eye"), strict=True):
            upper, lower = lid_lines(self.mesh, part)
            own, usual = (np.mean(v[upper, 1] - v[lower, 1]) for v in (self.vertices, self.mesh.template))
            reach[number] = np.clip(own / usual, 0.5 * self.size, 2 * self.size)
        return reach

    def express(self, expression: Expression) -> np.ndarray:
        """Vertices (V, 3) of the unturned head."""
        # A lid that is shut follows the eye no further.
        open_lids = 1 - expression.actions[BLINKS]
        values = np.minimum(expression.actions + lids_of(expression.gaze, open_lids), 1)
        moved = (self.reach * values) @ self.mesh.actions.reshape(len(values), -1)
        return self.vertices + moved.reshape(-1, 3).astype(np.float32)

    def turn(self, vertices: np.ndarray, shares: np.ndarray, pose: Pose) -> np.ndarray:
        """Vertices (N, 3) of the turned head; shares (N,) say how much of the turn each takes."""
        low, high = self.face_box
        turned = self.pivot + (vertices - self.pivot) @ rotation_of(pose).T
        shares = shares[:, None]
        # Straight lines between rest and turn are arcs enough for the few vertices of the neck.
        shift = float(high[0] - low[0]) * np.array([pose.x, -pose.y, 0.0]) * (SWAY + (1 - SWAY) * shares)
        return (vertices + shares * (turned - vertices) + shift).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Moment:
    """Somebody's expression and pose: the body's vertices before the turn and after it (V, 3), the head's
    rotation (3, 3), where the eyes look together (3,) and each of EYES by itself (2, 3)."""

    expression: Expression
    pose: Pose
    expressed: np.ndarray
    vertices: np.ndarray
    rotation: np.ndarray
    gaze: np.ndarray
    looks: np.ndarray


def act(body: Body, expression: Expression, pose: Pose, distance: float) -> Moment:
    """distance, dm: of what the eyes look at."""
    expressed = body.express(expression)
    vertices = body.turn(expressed, body.mesh.turn, pose)
    rotation = rotation_of(pose)
    gaze = rotation @ eye_axis(expression.gaze)
    looks = converging(np.stack([body.eye_centre(part, vertices) for part in EYES]), gaze, distance)
    return Moment(expression, pose, expressed, vertices, rotation, gaze, looks)


@cache
def face_vertices(mesh: HeadMesh) -> np.ndarray:
    """Numbers (N,) of the vertices of the face from ear to ear and hairline to chin, seen from the front."""
    x, y, z = mesh.template.T
    seen = (y > CHIN) & (y < HAIRLINE) & (z > EARS) & ((y > JAW) | (z > BELOW))
    return np.flatnonzero(seen & (mesh.turn > 0.3))


def rotation_of(pose: Pose) -> np.ndarray:
    """The head's rotation (3, 3) in the mesh's axes, from which the nose points to +z."""
    angles = [np.array([value]) for value in (pose.yaw, pose.pitch, pose.roll)]
    return np.asarray(BEHIND @ rotation_matrices(*angles)[0].T @ BEHIND)


def lids_of(gaze: tuple[float, float], open_lids: np.ndarray) -> np.ndarray:
    """The actions (52,) with which lids follow the eyes; the gaze is to the viewer's right and down,
    open_lids (2,) the share of the person's left and right lid that is not shut."""
    yaw, pitch = gaze
    values = np.zeros(len(ACTIONS), np.float32)
    for side, out, share in (("Left", yaw, open_lids[0]), ("Right", -yaw, open_lids[1])):
        for name, angle in (("Out", out), ("In", -out), ("Down", pitch), ("Up", -pitch)):
            values[ACTIONS.index(f"eyeLook{name}{side}")] = share * np.clip(angle / LIDS[name], 0, 1)
    return values


def eye_axis(gaze: tuple[float, float]) -> np.ndarray:
    """Where both eyes together look, (3,), in the head's own axes."""
    yaw, pitch = np.radians(gaze)
    return np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])


def converging(centres: np.ndarray, axis: np.ndarray, distance: float) -> np.ndarray:
    """Where each eye looks, unit vectors (2, 3), when both, at centres (2, 3), look at what is `distance` dm
    away along their common axis (3,): parallel eyes would seem to squint outwards in a near picture."""
    towards = centres.mean(0) + distance * axis - centres
    return np.asarray(towards / np.linalg.norm(towards, axis=1, keepdims=True))


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) float32 of vertices, weighted by their triangles' areas."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    corners = triangles.T.ravel()
    summed = np.stack([np.bincount(corners, np.tile(faces[:, k], 3), len(vertices)) for k in range(3)], 1)
    return (summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9)).astype(np.float32)
