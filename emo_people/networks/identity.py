"""Trains the face embedding for photographs (`identity.safetensors`) on rendered people, and checks it on
people that it has not seen."""

from math import inf
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.models.precision import fast_autocast
from emo_training.perception.face_identity import FaceIdentity, IdentityEmbedder

from .face_views import FaceViews
from .fit import Log, WallClock, channels_last, create_net, fit, write_weights
from .pool import Pool

PEOPLE = 32  # in a step, two pictures of each
RATE, WARMUP, DECAY = 3e-3, 100, 0.05
TEMPERATURE = 0.1  # of the cosines
TURNED = (50.0, 30.0)  # degrees of yaw and pitch beyond which too little of a face is seen
CHECKED = 200  # people, at most


def train_identity(
    folder: Path, out: Path, minutes: float, seed: int = 0, log: Log = print
) -> IdentityEmbedder:
    """Fits the network to a pool of rendered people and writes it to `out`, now and then and at the end, in
    half precision."""
    pool, unseen = _towards_us(Pool.read(folder)).split()
    people = [np.flatnonzero(pool.person == person) for person in np.unique(pool.person)]
    log(f"identity: {len(pool)} pictures of {len(people)} people to train on, {len(unseen)} to check with")
    views, generator = FaceViews.of(pool), torch.Generator().manual_seed(seed)
    net, rng = channels_last(create_net(FaceIdentity, seed)), np.random.default_rng(seed)
    shown = [pictures for pictures in people if len(pictures) > 1]

    def loss() -> dict[str, Tensor]:
        pictures = views.draw_identities(draw_pairs(shown, rng), generator)
        with fast_autocast("cpu"):
            vectors = net(pictures.contiguous(memory_format=torch.channels_last))
        return {"person": contrast(vectors.float())}

    def write() -> str:
        write_weights(net, out, torch.half)
        return ""

    fit(net, loss, WallClock(minutes, RATE, WARMUP, DECAY), "identity", log, write)
    embedder = IdentityEmbedder(net)
    log(f"identity: {check_identity(embedder, unseen)}")
    return embedder


def draw_pairs(people: list[np.ndarray], rng: np.random.Generator) -> Tensor:
    """The numbers of two pictures of each of some people, one after the other; people: of whom there are
    which pictures."""
    chosen = rng.choice(len(people), min(PEOPLE, len(people)), replace=False)
    return torch.from_numpy(np.concatenate([rng.choice(people[k], 2, replace=False) for k in chosen]))


def contrast(vectors: Tensor) -> Tensor:
    """The loss of finding, for each unit vector (2 N, D), the other one of its person, which stands beside it
    (NT-Xent, arXiv 2002.05709). It teaches something from the first step on; telling a thousand people apart
    by a direction for each took five hundred steps to begin."""
    cosines = vectors @ vectors.T / TEMPERATURE
    itself = torch.eye(len(vectors), dtype=torch.bool)
    return F.cross_entropy(cosines.masked_fill(itself, -inf), torch.arange(len(vectors)) ^ 1)


def _towards_us(pool: Pool) -> Pool:
    return pool.only((np.abs(pool.pose[:, :2]) <= TURNED).all(1))


def check_identity(embedder: IdentityEmbedder, pool: Pool) -> dict[str, float]:
    """How well the people of a pool are told apart, all pictures against all: see `tell_apart`; and `found`,
    the share of pictures whose person is nearest, where each person is known by the picture that is turned
    the least."""
    pool = _towards_us(pool.only(np.isin(pool.person, np.unique(pool.person)[:CHECKED])))
    boxes, points = pool.box.astype(np.float64), pool.landmarks
    vectors = np.concatenate(
        [
            embedder.embed(pool.picture[k : k + 50], boxes[k : k + 50], points[k : k + 50])
            for k in range(0, len(pool), 50)
        ]
    )
    ahead = np.abs(pool.pose[:, 0])
    shown = [min(np.flatnonzero(pool.person == seed), key=ahead.__getitem__) for seed in set(pool.person)]
    asked = np.setdiff1d(np.arange(len(pool)), shown)
    nearest = pool.person[shown][(vectors[asked] @ vectors[shown].T).argmax(1)]
    figures = tell_apart(vectors, pool.person)
    figures["found"] = float((nearest == pool.person[asked]).mean())
    return {name: round(value, 4) for name, value in figures.items()}


def tell_apart(vectors: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """Over all pairs of unit vectors (N, D) of people (N,): `auc`, how often two pictures of one person are
    more alike than two of different people; `eer`, the share of wrong answers at the cosine `threshold` where
    as many of either kind are wrong; and the mean cosines `same` and `others`."""
    first, second = np.triu_indices(len(people), 1)
    likeness = (vectors @ vectors.T)[first, second]
    same = people[first] == people[second]
    own, others = np.sort(likeness[same]), np.sort(likeness[~same])
    missed = np.arange(len(own)) / len(own)
    taken = 1 - np.searchsorted(others, own) / len(others)
    equal = int(np.abs(missed - taken).argmin())
    return {
        "auc": float(np.searchsorted(others, own).mean() / len(others)),
        "eer": float((missed[equal] + taken[equal]) / 2),
        "threshold": float(own[equal]),
        "same": float(own.mean()),
        "others": float(others.mean()),
    }
