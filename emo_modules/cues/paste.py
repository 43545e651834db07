"""Generated frames put back into the picture that their crops were cut from."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..media.image import as_float_image, to_rgb
from .box import Box
from .face import Crop, resize

_log = logging.getLogger(__name__)


def paste_back(frames: Tensor, original: Tensor, crop: Crop, feather: int) -> Tensor:
    """Frames at the original's size: (F, H, W, 3) in 0..1, float32.

    frames (F, h, w, 3) show the crop at any resolution; original (H, W, 3). The crop's edges fade into the
    original over `feather` of its pixels, except where the crop reaches the picture's own edge. Raises
    ValueError when the original is not the picture the crop was cut from.
    """
    return paste_all([(frames, crop)], original, feather)


def paste_all(videos: Sequence[tuple[Tensor, Crop]], original: Tensor, feather: int) -> Tensor:
    """Several faces of one picture as `paste_stream` puts them back: (F, H, W, 3), as long as the shortest
    of the videos (F', h, w, 3), with a warning when they differ."""
    counts = [len(frames) for frames, _ in videos]
    if len(set(counts)) > 1:
        _log.warning(
            "the faces of one picture have %s frames: all of them end after %d",
            ", ".join(map(str, counts)), min(counts),
        )  # fmt: skip
    pictures = paste_stream(videos, original, feather)
    pasted = torch.empty(min(counts), *original.shape[:2], 3)
    for target, picture in zip(pasted, pictures, strict=False):
        target.copy_(picture)
    return pasted


def paste_stream(
    videos: Sequence[tuple[Iterable[Tensor], Crop]], original: Tensor, feather: int
) -> Iterator[Tensor]:
    """Whole pictures (H, W, 3) in 0..1, float32, one at a time until the first of the videos ends.

    Each video is frames (h, w, 3) of its crop, which are asked for as the pictures are. Where crops overlap,
    each place shows the crop whose face is the closest by its own size, since the others hold that face
    still; one fades into the other over `feather` pixels. Raises ValueError when the original (H, W, 3) is
    not the picture that the crops were cut from.
    """
    whole = to_rgb(as_float_image(original))
    crops = [crop for _, crop in videos]
    for crop in crops:
        _check_source(crop, whole)
    placed = [_Place.of(crop) for crop in crops]
    shares = _shares(crops, feather)
    alphas = [share[place.rows, place.columns, None] for share, place in zip(shares, placed, strict=True)]
    return _pictures([frames for frames, _ in videos], whole, placed, alphas)


def _check_source(crop: Crop, original: Tensor) -> None:
    if tuple(original.shape[:2]) != (crop.source_height, crop.source_width):
        raise ValueError(
            f"the crop was cut from a {crop.source_width}x{crop.source_height} picture, "
            f"got {original.shape[1]}x{original.shape[0]}: give the same picture as for the crop"
        )


@dataclass(frozen=True)
class _Place:
    """Where a crop lies in the picture, as far as it is inside of it, and how large it is there."""

    rows: slice
    columns: slice
    box: Box

    @classmethod
    def of(cls, crop: Crop) -> "_Place":
        inside = crop.box.clipped(crop.source_width, crop.source_height)
        rows, columns = slice(int(inside.y0), int(inside.y1)), slice(int(inside.x0), int(inside.x1))
        return cls(rows, columns, crop.box)

    def piece(self, frame: Tensor) -> Tensor:
        """The part of a frame (h, w, C) that lies inside the picture, in the picture's pixels."""
        planes = to_rgb(as_float_image(frame)).movedim(-1, 0)[None]
        full = resize(planes, int(self.box.height), int(self.box.width))[0].movedim(0, -1)
        top, left = self.rows.start - int(self.box.y0), self.columns.start - int(self.box.x0)
        height, width = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        return full[top : top + height, left : left + width]


def _pictures(
    videos: list[Iterable[Tensor]], original: Tensor, placed: list[_Place], alphas: list[Tensor]
) -> Iterator[Tensor]:
    for frames in zip(*videos, strict=False):
        picture = original.clone()
        for frame, place, alpha in zip(frames, placed, alphas, strict=True):
            shown = picture[place.rows, place.columns]
            picture[place.rows, place.columns] = torch.lerp(shown, place.piece(frame), alpha)
        yield picture


def _shares(crops: list[Crop], feather: int) -> list[Tensor]:
    """How much of each crop, (H, W) of the source, replaces what the original and the crops before it show.

    Of the parts that the crops have in the picture, which sum to what is not the original's.
    """
    parts = _parts(crops, feather)
    later, shares = torch.zeros_like(parts[0]), []
    for part in reversed(parts):
        shares.append((part / (1 - later).clamp(min=1e-6)).clamp(0, 1))
        later += part
    return shares[::-1]


def _parts(crops: list[Crop], feather: int) -> list[Tensor]:
    """Which part of the picture each crop gives, (H, W) of the source: its own weight, less what those whose
    faces are closer take of it."""
    alphas = [_feather_weights(crop, feather) for crop in crops]
    away = [_distance(crop) for crop in crops]
    parts = []
    for own, alpha in enumerate(alphas):
        part = alpha.clone()
        for other in range(len(crops)):
            if other != own:
                part *= 1 - alphas[other] * _closer(away[other], away[own], feather)
        parts.append(part)
    if len(crops) < 3:
        return parts  # they sum to it already
    covered = 1 - torch.stack([1 - alpha for alpha in alphas]).prod(dim=0)
    scale = covered / torch.stack(parts).sum(dim=0).clamp(min=1e-6)
    return [part * scale for part in parts]


def _distance(crop: Crop) -> tuple[Tensor, float]:
    """(H, W) of the source: from the middle of the face, 1 at its box's sides; and the pixels of that 1."""
    face = crop.face or crop.box
    x, y = face.centre
    across = (torch.arange(crop.source_width) + 0.5 - x) / (face.width / 2)
    down = (torch.arange(crop.source_height) + 0.5 - y) / (face.height / 2)
    return torch.hypot(across[None, :], down[:, None]), face.area**0.5 / 2


def _closer(one: tuple[Tensor, float], other: tuple[Tensor, float], feather: int) -> Tensor:
    """(H, W): 1 where the first face is closer than the other, 0 where it is not, half between them."""
    pixels = (other[0] - one[0]) / (1 / one[1] + 1 / other[1])
    return (0.5 + pixels / max(feather, 0.5)).clamp(0, 1)


def _feather_weights(crop: Crop, feather: int) -> Tensor:
    """(H, W) of the source: 1 well inside the crop, falling to 0 at its edges."""
    box = crop.box
    across = _ramp(crop.source_width, box.x0, box.x1, feather)
    down = _ramp(crop.source_height, box.y0, box.y1, feather)
    return torch.minimum(down[:, None], across[None, :])


def _ramp(size: int, start: float, stop: float, feather: int) -> Tensor:
    pixels = torch.arange(size) + 0.5
    distance_low = pixels - start if start > 0 else torch.full((size,), torch.inf)
    distance_high = stop - pixels if stop < size else torch.full((size,), torch.inf)
    return (torch.minimum(distance_low, distance_high) / max(feather, 0.5)).clamp(0, 1)
