"""Expressions of faces as 64 numbers of a 3D morphable model, which the E-FID of papers compares.

Deep3DFaceRecon (Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning", 2019): a
ResNet-50 whose 257 outputs are identity, expression, texture, pose, light and place. Expressions are read off
it; the Basel face model, which one has to ask for, is needed only to draw them. The weights are the user's:
`epoch_20.pth` of sicxu/Deep3DFaceRecon_pytorch, or SadTalker's safetensors, which hold the same network.
Source of alignment and layout: util/preprocess.py, util/load_mats.py and models/networks.py there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel

from emo_modules.weights.reading import describe_keys, read_weights
from emo_modules.weights.rename import Rules, load_strict, rename

from .five_points import points_of_faces

SIDE = 224  # px of the aligned face
SCALE = 102.0  # px of it in one unit of the face model
# Eyes, nose tip and mouth corners of the mean face: x to the right, y up, z towards the viewer.
MEAN_FACE = (
    (-0.31148657, 0.29036078, 0.13377953),
    (0.30979887, 0.28972036, 0.13179526),
    (0.00325350, -0.04617932, 0.55244243),
    (-0.25216928, -0.38133916, 0.22405732),
    (0.24846619, -0.38128236, 0.22235769),
)
FEATURES = 2048  # of ResNet-50
OUTPUTS = (80, 64, 80, 3, 27, 2, 1)  # identity, expression, texture, pose, light, shift, distance
EXPRESSION = slice(80, 144)
EXPECTED = "Deep3DFaceRecon's network, epoch_20.pth or SadTalker's safetensors"
SADTALKER = "face_3drecon."
# Of torchvision's names, which the file has, those of transformers.
NAMES: Rules = [
    (r"^backbone\.conv1\.", "backbone.embedder.embedder.convolution."),
    (r"^backbone\.bn1\.", "backbone.embedder.embedder.normalization."),
    *(
        (rf"^backbone\.layer{k}\.(\d+)\.", rf"backbone.encoder.stages.{k - 1}.layers.\1.")
        for k in range(1, 5)
    ),
    *((rf"\.conv{k}\.", f".layer.{k - 1}.convolution.") for k in range(1, 4)),
    *((rf"\.bn{k}\.", f".layer.{k - 1}.normalization.") for k in range(1, 4)),
    (r"\.downsample\.0\.", ".shortcut.convolution."),
    (r"\.downsample\.1\.", ".shortcut.normalization."),
]


class ReconNet(nn.Module):
    """Aligned faces (N, 3, 224, 224), RGB in 0..1 -> coefficients (N, 257)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNetModel(ResNetConfig())  # its defaults are ResNet-50
        self.final_layers = nn.ModuleList(nn.Conv2d(FEATURES, n, 1) for n in OUTPUTS)

    def forward(self, faces: Tensor) -> Tensor:
        pooled = self.backbone(faces).pooler_output
        return torch.cat([layer(pooled) for layer in self.final_layers], dim=1).flatten(1)


@dataclass(frozen=True)
class Deep3D:
    net: ReconNet

    @torch.no_grad()
    def expressions(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
        """(N, 64) float32 of the faces in RGB frames (N, H, W, 3) uint8, at boxes (N, 4) px.

        Where the five points come from is said at `points_of_faces`, which also says what it raises.
        """
        points = points_of_faces(boxes, landmarks)
        aligned = np.stack([align(*face) for face in zip(frames, points, strict=True)])
        faces = torch.from_numpy(aligned).movedim(-1, 1).float() / 255
        device = next(self.net.parameters()).device
        return self.net(faces.to(device))[:, EXPRESSION].cpu().numpy()


def align(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face (224, 224, 3) of a frame (H, W, 3) uint8, by its five points (5, 2) px; black beyond it."""
    (width, height), (left, top) = place(points, frame.shape[0], frame.shape[1])
    shown = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(shown.crop((left, top, left + SIDE, top + SIDE)))


def place(points: np.ndarray, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """To which size a frame is scaled, and where in it the face begins: both (x, y) in whole pixels.

    Scale and shift are those of the affine camera that shows the mean face's points nearest to these.
    """
    upwards = np.stack([points[:, 0], height - 1 - points[:, 1]], axis=1)
    face = np.column_stack([MEAN_FACE, np.ones(len(MEAN_FACE))])
    camera, *_ = np.linalg.lstsq(face, upwards, rcond=None)  # (4, 2)
    scale = SCALE / np.linalg.norm(camera[:3], axis=0).mean()
    x, y = camera[3]
    size = int(width * scale), int(height * scale)
    corner = (
        size[0] / 2 - SIDE / 2 + (x - width / 2) * scale,
        size[1] / 2 - SIDE / 2 + (height / 2 - y) * scale,
    )
    return size, (int(corner[0]), int(corner[1]))


def load_deep3d(path: Path, device: str = "cpu") -> Deep3D:
    """The released network; frozen, in evaluation mode. Raises OSError, or ValueError for another file."""
    state = read_weights(path, EXPECTED)
    if any(key.startswith(SADTALKER) for key in state):
        state = {k.removeprefix(SADTALKER): v for k, v in state.items() if k.startswith(SADTALKER)}
    if "final_layers.1.weight" not in state:
        raise ValueError(
            f"{path}: expected {EXPECTED}; found {describe_keys(list(state))}. Name another file"
        )
    net = ReconNet()
    load_strict(net, rename(state, NAMES), str(path), may_miss=r"\.num_batches_tracked$")
    return Deep3D(net.requires_grad_(False).eval().to(device))
