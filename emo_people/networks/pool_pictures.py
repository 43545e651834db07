"""Renders the pool: people at random in every pose, expression and light that pictures show."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from emo_modules.writing.partial import whole_file

from ..acting.face import ACTIONS, INDEX, Expression, Pose
from ..acting.visemes import SHAPES
from ..people.person import Person, random_person
from ..rendering.context import drawing_processes
from ..rendering.framing import Framing
from ..rendering.photograph import photograph
from ..rendering.scene import random_scene
from ..rendering.studio import Studio
from .pool import BACKGROUNDS, FACELESS, SIDE, write_shard

SHARD = 50  # people
TRAINING = 1_000_000  # seeds of the people and scenes in the pool: from here on
SCENES = 600  # without people
YAW, PITCH, ROLL = 75.0, 40.0, 25.0  # degrees, the most
FACE = (0.42, 0.78)  # height of the face's box over the picture's
MOUTH = np.array([name.startswith(("jaw", "mouth", "tongue")) for name in ACTIONS])
FACELESS_SHARDS, FACELESS_SHARD = 8, 100  # how many there are, and pictures of each
AWAY = (125.0, 235.0)  # degrees that a head is turned of which no eye is to be seen
HEADLESS = 0.4  # of those without a face; the others look away


def render_pool(folder: Path, people: int, views: int, seed: int = 0, workers: int = 1) -> None:
    """Writes scenes, people without a face, and shards of fifty people in so many views each; what is there
    already is left alone."""
    numbers = [number for number in range(-(-people // SHARD)) if not _path(folder, number).exists()]
    others = [k for k in range(FACELESS_SHARDS) if not _faceless_path(folder, k).exists()]
    _write_scenes(folder)
    with drawing_processes(workers) as processes:
        list(processes.map(partial(_render_faceless_shard, folder, seed), others))
        list(processes.map(partial(_render_shard, folder, people, views, seed), numbers))


def _write_scenes(folder: Path) -> None:
    """What is seen where nobody is."""
    path = folder / BACKGROUNDS
    if not path.exists():
        scenes = [random_scene(TRAINING + number) for number in range(SCENES)]
        pictures = [photograph(scene.behind(SIDE, SIDE), scene.camera, 0) for scene in scenes]
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, picture=np.stack(pictures))


def _path(folder: Path, number: int) -> Path:
    return folder / f"people-{number:05d}.npz"


def _faceless_path(folder: Path, number: int) -> Path:
    return folder / FACELESS.replace("*", f"{number:05d}")


def _render_faceless_shard(folder: Path, seed: int, number: int) -> None:
    studio, rng = Studio(), np.random.default_rng([seed, FACELESS_SHARDS, number])
    numbers = number * FACELESS_SHARD + np.arange(FACELESS_SHARD)
    pictures = [render_faceless(studio, 2 * TRAINING + int(k), rng) for k in numbers]
    with whole_file(_faceless_path(folder, number)) as unfinished, unfinished.open("wb") as file:
        np.savez(file, picture=np.stack(pictures), number=numbers)


def render_faceless(studio: Studio, seed: int, rng: np.random.Generator) -> np.ndarray:
    """(256, 256, 4): somebody who looks away, near or far, or whose head is above the picture."""
    person, expression, distance = random_person(seed), random_expression(rng), float(rng.uniform(6, 25))
    height = float(np.exp(rng.uniform(*np.log((0.3, 1.6)))))
    if rng.random() < HEADLESS:
        pose, framing = Pose(), Framing(SIDE, SIDE, height, 0.5, -0.55 * height, distance)
    else:
        yaw, pitch, roll = rng.uniform(*AWAY), *rng.uniform(-25, 25, 2)
        pose, framing = Pose(yaw, pitch, roll), Framing(SIDE, SIDE, height, 0.5, 0.5, distance)
    picture = studio.photograph(person, expression, pose, framing, 0, random_scene(seed))
    alpha = 255 * studio.regions(person, expression, pose, framing).person.astype(np.uint8)
    return np.concatenate([picture, alpha[..., None]], -1)


def _render_shard(folder: Path, people: int, views: int, seed: int, number: int) -> None:
    studio, rng = Studio(), np.random.default_rng([seed, number])
    rows = []
    for person in range(number * SHARD, min((number + 1) * SHARD, people)):
        rows += [_render(studio, TRAINING + person, rng) for _ in range(views)]
    write_shard(folder, number, {name: np.stack([row[name] for row in rows]) for name in rows[0]})


def _render(studio: Studio, seed: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    person, expression, pose = random_person(seed), random_expression(rng), random_pose(rng)
    face = float(rng.uniform(*FACE))
    x, y = (0.5 + (1 - face) * rng.uniform(-0.4, 0.4, 2)).tolist()
    framing = Framing(SIDE, SIDE, face, x, y, float(rng.uniform(6, 25)))
    truth = studio.truth(person, expression, pose, framing)
    scene = random_scene(TRAINING + int(rng.integers(TRAINING)))
    frame = int(rng.integers(1000))
    return {
        "picture": studio.photograph(person, expression, pose, framing, frame, scene),
        "alpha": 255 * studio.regions(person, expression, pose, framing).person.astype(np.uint8),
        "landmarks": truth.landmarks,
        "irises": truth.irises,
        "five": truth.five,
        "box": truth.face_box,
        "pose": np.array([truth.yaw, truth.pitch, truth.roll]),
        "mouth_open": np.array(truth.mouth_open),
        "mouth_width": np.array(truth.mouth_width),
        "eye_open": truth.eye_open,
        "face_seen": np.array(face_seen(studio, person, expression, pose, framing)),
        "person": np.array(seed),
    }


def face_seen(studio: Studio, person: Person, expression: Expression, pose: Pose, framing: Framing) -> float:
    """The share of the face in the picture that hair and what is worn leave to see."""
    seen, whole = (
        int((regions.face | regions.lips | regions.eyes).sum())
        for regions in (studio.regions(person, expression, pose, framing, bare) for bare in (False, True))
    )
    return min(1.0, seen / max(whole, 1))


def random_pose(rng: np.random.Generator) -> Pose:
    """Half of them within half of a face's turns; the rest up to the profile."""
    wide = 1.0 if rng.random() < 0.5 else 0.4
    yaw, pitch, roll = wide * rng.uniform(-1, 1, 3) * np.array([YAW, PITCH, ROLL])
    return Pose(float(yaw), float(pitch), float(roll))


def random_expression(rng: np.random.Generator) -> Expression:
    """A few actions at random, left and right mostly alike; a mouth as it comes, an open one, one in speech,
    or one that shows its teeth; or eyes that are shut."""
    actions = np.zeros(len(ACTIONS), np.float32)
    for index in rng.choice(len(ACTIONS), int(rng.integers(0, 9)), replace=False):
        name, strength = ACTIONS[index], rng.beta(1, 1.6)
        actions[index] = strength
        for side, other in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(side) and rng.random() < 0.8 and not name.startswith(("jaw", "mouthLeft")):
                twin = name.removesuffix(side) + other
                if twin in INDEX:
                    actions[INDEX[twin]] = strength
    mouth = rng.choice(["as it comes", "open", "speech", "teeth"], p=[0.25, 0.2, 0.25, 0.3])
    if mouth == "open":
        actions[INDEX["jawOpen"]] = rng.beta(1, 2)
    elif mouth == "speech":
        actions[MOUTH] = _speaking(rng)[MOUTH]
    elif mouth == "teeth":
        actions[MOUTH] = np.maximum(0.5 * actions, _baring(rng))[MOUTH]
    shut = rng.choice([0.0, 1.0, rng.random()], p=[0.6, 0.1, 0.3])
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        actions[INDEX[name]] = max(actions[INDEX[name]], shut)
    gaze = rng.normal(0, 1, 2) * np.array([12.0, 7.0])
    return Expression(actions.clip(0, 1), (float(gaze[0].clip(-30, 30)), float(gaze[1].clip(-20, 20))))


def _speaking(rng: np.random.Generator) -> np.ndarray:
    """Actions (52,) on the way from one sound's shape to another's, said more or less clearly."""
    shapes = list(SHAPES.values())
    actions = np.zeros(len(ACTIONS), np.float32)
    share = rng.random()
    for number, weight in zip(rng.integers(len(shapes), size=2), (share, 1 - share), strict=True):
        for name, strength in shapes[number].actions.items():
            actions[INDEX[name]] += weight * strength
    return actions * rng.uniform(0.5, 1.5)


def _baring(rng: np.random.Generator) -> np.ndarray:
    """Actions (52,) of lips that are further apart than the teeth, as in talk and smiles."""
    actions = np.zeros(len(ACTIONS), np.float32)
    actions[INDEX["jawOpen"]] = 0.5 * rng.beta(1, 2)
    for name, most in (("LowerDown", 1.0), ("UpperUp", 0.9), ("Smile", 1.0), ("Stretch", 0.6)):
        actions[[INDEX[f"mouth{name}Left"], INDEX[f"mouth{name}Right"]]] = most * rng.beta(1.2, 1.2)
    return actions
