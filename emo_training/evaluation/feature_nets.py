"""Published feature networks as TorchScript files: Inception for FID, I3D for FVD.

TorchScript is code: loading a file runs it, so these two must come from where they were published. No other
file that the project reads can run code.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

INCEPTION_FEATURES, I3D_FEATURES = 2048, 400
WINDOW = 16  # frames of one FVD feature
PICTURES, WINDOWS = 32, 4  # in one batch


@dataclass(frozen=True)
class FeatureNet:
    """`extract` maps uint8 pictures, (N, H, W, 3) or windows (N, T, H, W, 3), to features (N, features)."""

    path: Path
    features: int
    extract: Callable[[np.ndarray], Tensor]

    def __call__(self, pictures: np.ndarray) -> Tensor:
        """Raises ValueError when the file's network does not take them, or answers with something else."""
        try:
            with torch.no_grad():
                found = self.extract(pictures)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f"{self.path} does not work as a feature network: {reason}") from error
        wanted = (len(pictures), self.features)
        if not isinstance(found, Tensor) or tuple(found.shape) != wanted:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"{self.path} gave {got} where features {wanted} were expected: wrong file?")
        return found.float().cpu()


def load_inception(path: Path, device: str = "cpu", features: int = INCEPTION_FEATURES) -> FeatureNet:
    """`inception-2015-12-05.pt` as NVIDIA published it with StyleGAN2-ADA; it resizes and scales by itself.

    Raises FileNotFoundError, or ValueError for a file that is no such network.
    """
    net = load_torchscript(path, device)

    def extract(pictures: np.ndarray) -> Tensor:
        planes = torch.from_numpy(pictures).movedim(-1, 1)
        return net(planes.to(device), return_features=True)

    return _try_out(FeatureNet(path, features, extract), (1, 64, 64, 3))


def load_i3d(path: Path, device: str = "cpu", features: int = I3D_FEATURES) -> FeatureNet:
    """`i3d_torchscript.pt`, the Kinetics-400 network of the original FVD, as StyleGAN-V uses it.

    With rescale it takes 0..255 and makes -1..1 of it, with resize 224 x 224; the features are those before
    the softmax. Raises as `load_inception`.
    """
    net = load_torchscript(path, device)

    def extract(windows: np.ndarray) -> Tensor:
        planes = torch.from_numpy(windows).movedim(-1, 1).float()  # (N, 3, T, H, W)
        return net(planes.to(device), rescale=True, resize=True, return_features=True)

    return _try_out(FeatureNet(path, features, extract), (1, WINDOW, 64, 64, 3))


def _try_out(net: FeatureNet, shape: tuple[int, ...]) -> FeatureNet:
    """The network once it has answered to a grey picture: a wrong file is refused before hours of work."""
    net(np.full(shape, 127, np.uint8))
    return net


def load_torchscript(path: Path, device: str = "cpu") -> torch.jit.ScriptModule:
    """Raises FileNotFoundError, or ValueError for a file that holds no TorchScript."""
    size = path.stat().st_size
    try:
        return torch.jit.load(str(path), map_location=device).eval()
    except RuntimeError as error:
        raise ValueError(
            f"{path} ({size} bytes) is no TorchScript file: {str(error).splitlines()[0]}; download it again"
        ) from error


def picture_features(net: FeatureNet, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
    """Features (N, D) of frames (H, W, 3) uint8, batch by batch."""
    for batch in batches(frames, PICTURES):
        yield net(np.stack(batch))


def window_features(net: FeatureNet, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
    """Features (N, D) of successive windows of 16 frames that do not overlap; the rest is left out."""
    whole = (np.stack(window) for window in batches(frames, WINDOW) if len(window) == WINDOW)
    for batch in batches(whole, WINDOWS):
        yield net(np.stack(batch))


def batches(items: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
