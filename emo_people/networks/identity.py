"""Trains the face embedding for photographs (`identity.safetensors`) on rendered people, and checks it on
people that it has not seen."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_training.perception.face_identity import EMBEDDING, FaceIdentity, IdentityEmbedder

from .face_views import FaceViews
from .fit import Log, WallClock, channels_last, create_net, fit, write_weights
from .pool import Pool

BATCH = 64
RATE, WARMUP, DECAY = 3e-3, 100, 0.05
SCALE = 24.0  # of the cosines
MARGIN, MARGIN_STEPS = 0.25, 400  # by which the own person's must exceed the others', reached so slowly
TURNED = (50.0, 30.0)  # degrees of yaw and pitch beyond which too little of a face is seen
CHECKED = 200  # people, at most


class Learner(nn.Module):
    """The network with a direction for each person it is trained on, which nobody keeps."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.net = FaceIdentity()
        self.centres = nn.Parameter(torch.randn(people, EMBEDDING))
        self.steps = 0

    def loss(self, pictures: Tensor, people: Tensor) -> Tensor:
        """Of telling the person, whose cosine counts less than it is (CosFace, arXiv 1801.09414)."""
        with torch.autocast("cpu", torch.bfloat16):
            vectors = self.net(pictures)
        cosines = vectors.float() @ F.normalize(self.centres, dim=1).T
        self.steps += 1
        margin = MARGIN * min(1.0, self.steps / MARGIN_STEPS)
        asked = cosines - margin * F.one_hot(people, len(self.centres))
        return F.cross_entropy(SCALE * asked, people)


def train_identity(
    folder: Path, out: Path, minutes: float, seed: int = 0, log: Log = print
) -> IdentityEmbedder:
    """Fits the network to a pool of rendered people and writes it to `out`, now and then and at the end, in
    half precision."""
    pool, unseen = _towards_us(Pool.read(folder)).split()
    seeds, people = np.unique(pool.person, return_inverse=True)
    log(f"identity: {len(pool)} pictures of {len(seeds)} people to train on, {len(unseen)} to check with")
    views, generator = FaceViews.of(pool), torch.Generator().manual_seed(seed)
    learner = channels_last(create_net(partial(Learner, len(seeds)), seed))
    everybody = torch.from_numpy(people)

    def loss() -> dict[str, Tensor]:
        chosen = torch.randint(len(pool), (BATCH,), generator=generator)
        pictures = views.draw_identities(chosen, generator)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return {"person": learner.loss(pictures, everybody[chosen])}

    def write() -> str:
        write_weights(learner.net, out, torch.half)
        return ""

    fit(learner, loss, WallClock(minutes, RATE, WARMUP, DECAY), "identity", log, write)
    embedder = IdentityEmbedder(learner.net)
    log(f"identity: {check_identity(embedder, unseen)}")
    return embedder


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
