"""Whose face it is, as papers measure it (CSIM): networks trained with ArcFace's loss (Deng et al. 2019).

The weights are the user's. Two kinds of files are read: IResNet of any depth as insightface's arcface_torch
saves it (`backbone.pth`), and insightface's recognition models as ONNX (`w600k_r50.onnx` of buffalo_l,
`glintr100.onnx` of antelopev2, which Hallo takes). insightface allows its models for research alone.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.weights.reading import describe_keys, read_weights
from emo_modules.weights.rename import load_strict

from .five_points import points_of_faces
from .sface import SIDE, align

WIDTHS = (64, 64, 128, 256, 512)  # channels of the first convolution and of the four stages
REST = SIDE // 16  # px a side after the last stage
EMBEDDING = 512
EXPECTED = "IResNet weights as arcface_torch saves them, such as backbone.pth"


class IResNet(nn.Module):
    """Aligned faces (N, 3, 112, 112), RGB in -1..1 -> vectors (N, 512).

    `depths` are the units of each stage: (3, 4, 14, 3) is IResNet-50, (3, 13, 30, 3) IResNet-100. Names of
    parameters are those of arcface_torch's backbones/iresnet.py.
    """

    def __init__(self, depths: Iterable[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1, self.prelu = nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0])
        for k, ((before, after), depth) in enumerate(zip(pairwise(WIDTHS), depths, strict=True), 1):
            units = [_Unit(before, after, 2), *(_Unit(after, after, 1) for _ in range(depth - 1))]
            self.add_module(f"layer{k}", nn.Sequential(*units))
        self.bn2 = nn.BatchNorm2d(WIDTHS[-1])
        self.fc = nn.Linear(WIDTHS[-1] * REST**2, EMBEDDING)
        self.features = nn.BatchNorm1d(EMBEDDING)

    def forward(self, faces: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(faces)))
        for k in range(1, len(WIDTHS)):
            x = self.get_submodule(f"layer{k}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _Unit(nn.Module):
    """Normalised before and after each convolution; a first unit halves the picture."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn2, self.prelu = nn.BatchNorm2d(after), nn.PReLU(after)
        self.conv2 = nn.Conv2d(after, after, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = nn.Sequential()
        if stride > 1:
            self.downsample.extend([nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)])

    def forward(self, x: Tensor) -> Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(inner)) + self.downsample(x)


@dataclass(frozen=True)
class ArcFace:
    """`net` maps aligned faces (N, 3, 112, 112), RGB in -1..1, to vectors (N, D) of any length."""

    net: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Unit vectors (N, D) float32 of the faces in RGB frames (N, H, W, 3) uint8, at boxes (N, 4) px.

        Aligned by five points to the places of arcface_torch, which are SFace's; where the points come from
        is said at `points_of_faces`, which also says what it raises.
        """
        points = points_of_faces(boxes, landmarks)
        aligned = np.stack([align(*face) for face in zip(frames, points, strict=True)])
        faces = torch.from_numpy(aligned).movedim(-1, 1).float() / 127.5 - 1
        return F.normalize(self.net(faces), dim=1).cpu().numpy()


def load_arcface(path: Path, device: str = "cpu") -> ArcFace:
    """IResNet from safetensors or a pickle of tensors. Raises OSError, or ValueError for another file."""
    state = read_weights(path, EXPECTED)
    units = [re.match(r"layer([1-4])\.(\d+)\.", key) for key in state]
    stages = [{int(unit[2]) for unit in units if unit and int(unit[1]) == k} for k in range(1, len(WIDTHS))]
    if not all(stages):
        raise ValueError(
            f"{path}: expected {EXPECTED}; found {describe_keys(list(state))}. Name another file"
        )
    net = IResNet(map(len, stages))
    load_strict(net, state, str(path), may_miss=r"\.num_batches_tracked$")
    net.requires_grad_(False).eval().to(device)
    return ArcFace(lambda faces: net(faces.to(device)))


def load_arcface_onnx(path: Path) -> ArcFace:
    """A recognition model of insightface's, run by OpenCV on the CPU, which has no other place for it.

    Raises ValueError for a file that OpenCV cannot read as ONNX, and for a missing package.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ValueError("the package cv2 is missing: pip install 'emo-portrait[evaluate]'") from error
    try:
        net = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise ValueError(f"OpenCV cannot use {path}: {error.err or 'unreadable'}; get it again") from error

    def vectors(faces: Tensor) -> Tensor:
        found = []
        for face in faces.numpy():  # one at a time: some files allow no other number
            net.setInput(face[None])
            found.append(torch.from_numpy(net.forward().reshape(-1).copy()))
        return torch.stack(found)

    return ArcFace(vectors)
