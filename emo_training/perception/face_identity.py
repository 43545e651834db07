"""Whose face it is, by a small network that learned from rendered people: unit vectors whose likeness is
their cosine. Its numbers compare with no other network's; docs/evaluation.md says how well it tells real
people apart.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.cues.squares import BELOW_EYES, FACE_MM, Squares, around_five, cut
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict

from .five_points import points_of_faces

WEIGHTS = Path(__file__).with_name("identity.safetensors")
SIDE = 96  # px of the faces that are looked at
SEEN_MM = 140.0  # that a face's square shows of a grown face: brows to chin, little hair and background
SEEN_BELOW_EYES = 36.0  # mm from the eyes to the square's middle
EMBEDDING = 128
WIDTHS = (24, 40, 64, 88)
KIND = "the face embedding that train-identity makes"
OWN_KEY = "places.weight"  # that no other network of faces has


class FaceIdentity(nn.Module):
    """Faces (N, 3, 96, 96) in 0..1, cut out by `identity_squares` -> unit vectors (N, 128)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Convolution(3, WIDTHS[0], 2), nn.ReLU()]
        for a, b in pairwise(WIDTHS):
            layers += [_Convolution(a, b, 2), nn.ReLU(), _Residual(b)]
        self.trunk = nn.Sequential(*layers, _Residual(WIDTHS[-1]))
        rest = SIDE // 2 ** len(WIDTHS)
        # One weight for each place and channel, not a mean: where a feature lies tells faces apart.
        self.places = nn.Conv2d(WIDTHS[-1], WIDTHS[-1], rest, groups=WIDTHS[-1], bias=False)
        self.out = nn.Sequential(nn.BatchNorm1d(WIDTHS[-1]), nn.Linear(WIDTHS[-1], EMBEDDING))

    def forward(self, faces: Tensor) -> Tensor:
        # Each face in its own exposure: a lamp does not make another person.
        mean = faces.mean((1, 2, 3), keepdim=True)
        spread = faces.std((1, 2, 3), keepdim=True)
        found = self.places(self.trunk((faces - mean) / (spread + 0.02)))
        return F.normalize(self.out(found.flatten(1)).float(), dim=1)


class _Convolution(nn.Sequential):
    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_Convolution(width, width), nn.ReLU(), _Convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.inner(x))


@dataclass(frozen=True)
class IdentityEmbedder:
    """The network with what finds faces' places: see `evaluation.identity_similarity.Embedder`."""

    net: FaceIdentity

    @torch.no_grad()
    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Unit vectors (N, 128) float32 of the faces in RGB frames (N, H, W, 3) uint8, at boxes (N, 4) px.

        Where the five points come from is said at `points_of_faces`, which also says what it raises. A face
        and its mirror image count alike.
        """
        points = torch.from_numpy(points_of_faces(boxes, landmarks))
        squares = identity_squares(around_five(points))
        seen = torch.cat([cut_face(frame, squares, k) for k, frame in enumerate(frames)])
        return F.normalize(self.net(seen) + self.net(seen.flip(-1)), dim=1).numpy()


def identity_squares(faces: Squares) -> Squares:
    """What is looked at of faces of which the squares around the whole face are known."""
    up = torch.tensor([[[0.0, 2 * (SEEN_BELOW_EYES - BELOW_EYES) / FACE_MM]]])
    return faces.part(faces.to_picture(up.expand(len(faces), 1, 2))[:, 0], SEEN_MM)


def cut_face(frame: np.ndarray, squares: Squares, k: int) -> Tensor:
    """Square k (1, 3, 96, 96) of a frame (H, W, 3) uint8, large faces averaged down."""
    square = Squares(squares.centres[k : k + 1], squares.sides[k : k + 1], squares.angles[k : k + 1])
    times = max(1, round(float(square.sides[0]) / SIDE))
    fine = cut(torch.from_numpy(frame).movedim(-1, 0)[None].float() / 255, square, SIDE * times)
    return F.avg_pool2d(fine, times)


def load_identity(path: Path) -> IdentityEmbedder:
    """A file of train-identity; frozen, in evaluation mode. Raises OSError or ValueError for another file."""
    net = FaceIdentity()
    load_strict(net, read_weights(path, KIND), str(path), may_miss=r"\.num_batches_tracked$")
    return IdentityEmbedder(net.requires_grad_(False).eval())
