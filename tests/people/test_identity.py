"""Circles with eyes and a mouth stand in for people: their colours say who they are."""

import numpy as np
import pytest
import torch

from emo_people.acting.face import Expression, Pose
from emo_people.networks.identity import (
    check_identity,
    contrast,
    draw_pairs,
    tell_apart,
    train_identity,
)
from emo_people.networks.pool import FIELDS, Pool, write_shard
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.scene import random_scene
from emo_training.perception.face_identity import WEIGHTS, load_identity

from .gl import drawn as drawn

FACE = np.zeros((68, 2), np.float32)
FACE[36:42], FACE[42:48] = (100, 110), (150, 110)
FACE[30], FACE[48], FACE[54] = (125, 135), (108, 160), (142, 160)


def pool_rows(people: list[int], yaw: float = 0.0) -> dict[str, np.ndarray]:
    count = len(people)
    rows = {name: np.zeros((count, *shape), kind) for name, (shape, kind) in FIELDS.items()}
    for picture, person in zip(rows["picture"], people, strict=True):
        picture[:] = np.random.default_rng(person).integers(40, 255, (8, 8, 3)).repeat(32, 0).repeat(32, 1)
    return rows | {
        "landmarks": np.tile(FACE, (count, 1, 1)),
        "box": np.tile(np.float32([65, 48, 185, 208]), (count, 1)),
        "pose": np.tile(np.float32([yaw, 0, 0]), (count, 1)),
        "person": np.array(people),
    }


def test_what_tells_people_apart_is_counted_by_pairs():
    vectors = np.eye(4)[[0, 0, 1, 1]]
    perfect = tell_apart(vectors, np.array([1, 1, 2, 2]))
    assert perfect["auc"] == 1 and perfect["eer"] == 0
    assert perfect["same"] == 1 and perfect["others"] == 0
    wrong = tell_apart(vectors, np.array([1, 2, 1, 2]))
    assert wrong["auc"] < 0.5 and wrong["eer"] > 0.5


def test_chance_is_half():
    vectors = np.random.default_rng(0).standard_normal((200, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    figures = tell_apart(vectors, np.arange(200) // 4)
    assert figures["auc"] == pytest.approx(0.5, abs=0.05) and figures["eer"] == pytest.approx(0.5, abs=0.05)


def test_pairs_stand_beside_each_other_and_their_likeness_is_rewarded():
    people = [np.array([0, 4, 7]), np.array([1, 2]), np.array([3, 5, 6, 8])]
    pairs = draw_pairs(people, np.random.default_rng(0)).reshape(-1, 2).tolist()
    owner = {picture: k for k, pictures in enumerate(people) for picture in pictures.tolist()}
    assert sorted(owner[a] for a, _ in pairs) == [0, 1, 2]
    assert all(a != b and owner[a] == owner[b] for a, b in pairs)
    alike, unlike = torch.eye(3)[[0, 0, 1, 1, 2, 2]], torch.eye(3)[[0, 1, 2, 0, 1, 2]]
    assert contrast(alike) < 0.01 < 5 < contrast(unlike)


class FakeEmbedder:
    """The mean colours of a picture's four quarters."""

    def embed(self, frames, boxes, landmarks):
        quarters = frames.reshape(len(frames), 2, 128, 2, 128, 3).mean((2, 4)).reshape(len(frames), -1)
        assert len(boxes) == len(landmarks) == len(frames)
        centred = quarters - 147
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def test_profiles_are_not_asked_for(tmp_path):
    write_shard(tmp_path, 0, pool_rows([1, 2, 3, 1, 2, 3]))
    whole = check_identity(FakeEmbedder(), Pool.read(tmp_path))
    assert whole["found"] == 1 and whole["auc"] == 1
    rows = pool_rows([9, 9, 9], yaw=70.0)
    rows["picture"] = pool_rows([4, 5, 6])["picture"]
    write_shard(tmp_path, 1, rows)
    assert check_identity(FakeEmbedder(), Pool.read(tmp_path)) == whole


def test_a_trained_embedding_is_written(tmp_path):
    torch.set_num_threads(1)
    write_shard(tmp_path, 0, pool_rows([1, 2, 9, 19] * 2))
    lines: list[str] = []
    out = tmp_path / "identity.safetensors"
    embedder = train_identity(tmp_path, out, minutes=0.01, log=lines.append)
    assert lines[0] == "identity: 4 pictures of 2 people to train on, 4 to check with"
    assert out.stat().st_size < 1_000_000 and not embedder.net.training
    assert "auc" in lines[-1]


def test_the_weights_in_the_repository_tell_unseen_people_apart(drawn):
    """Each in two lights, places and poses."""
    views = [(Pose(-12.0, 4.0, 0.0), 0.5, 7), (Pose(15.0, -5.0, 6.0), 0.7, 8)]
    frames, boxes, landmarks, seeds = [], [], [], []
    for seed in range(4_000_020, 4_000_024):
        for pose, face, place in views:
            person, framing = random_person(seed), Framing(256, 256, face, 0.5, 0.5, 18.0)
            scene = random_scene(10 * seed + place)
            frames.append(drawn.photograph(person, Expression.of(), pose, framing, 0, scene))
            truth = drawn.truth(person, Expression.of(), pose, framing)
            boxes.append(truth.face_box)
            landmarks.append(truth.landmarks)
            seeds.append(seed)
    embedder = load_identity(WEIGHTS)
    vectors = embedder.embed(np.stack(frames), np.stack(boxes), np.stack(landmarks).astype(np.float32))
    figures = tell_apart(vectors, np.array(seeds))
    assert figures["auc"] > 0.9 and figures["same"] > figures["others"] + 0.3
