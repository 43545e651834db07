"""The face embedding that Hallo's weights read beside the portrait, out of whatever it comes in.

They were trained with `embedding` of insightface's antelopev2 (network glintr100), as the network gives it,
of the largest face. Source: Hallo's `ImageProcessor.preprocess`. insightface itself is not needed here.
"""

import logging
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..config import EMOConfig
from ..media.image import to_bytes

NETWORK = "glintr100"
NORMALISED = 2.0  # embeddings shorter than this were divided by their length
AROUND = 0.5  # share of the picture's sides put around a face that fills it

_UNKNOWN = (
    "%s has no face embedding (identity): in training every portrait came with one, and without it guidance "
    "does not hold the likeness, so that the face may drift away from the picture"
)


def face_embedding(source: Any, picture: Tensor, config: EMOConfig, log: logging.Logger) -> Tensor | None:
    """(1, D) on the CPU for weights that read one; None for others, and where no face is known.

    `source`: numbers as a list, array or tensor; a face of insightface, object or dictionary; several of
    these; or an insightface FaceAnalysis, alone or as "detector" of a dictionary, which then looks at the
    portrait's `picture` (H, W, 3) in 0..1. Of several faces the largest counts, of several embeddings the
    first.

    Raises ValueError for anything else, another number of values, or values that are not finite.
    """
    if config.quirks.identity is None:
        if source is not None:
            log.warning("%s reads no face embedding: identity is ignored", config.name)
        return None
    analysis = source.get("detector") if isinstance(source, dict) else source
    if isinstance(getattr(analysis, "models", None), dict):
        source = _largest_face(analysis, picture, log)
    values = None if source is None else _vector(source, config.quirks.identity.embedding_dim, log)
    if values is None or not values.any():
        log.warning(_UNKNOWN, config.name)
        return None
    length = values.norm().item()
    if length < NORMALISED:
        # the network ends in a batch norm: its values have a variance of about 1
        usual = len(values) ** 0.5
        log.warning(
            "the face embedding is normalised (length %.2f), but %s was trained with embeddings as the "
            "network gives them: it is lengthened to %.1f, as long as they are on average",
            length, config.name, usual,
        )  # fmt: skip
        values = values * (usual / length)
    return values[None]


def _largest_face(analysis: Any, picture: Tensor, log: logging.Logger) -> Any:
    """Of the picture, or of the picture with room around it: detectors miss faces that fill it."""
    network = PurePath(str(getattr(analysis.models.get("recognition"), "model_file", NETWORK))).name
    if NETWORK not in network:
        log.warning(
            "this face analysis reads faces with %s, but the weights were trained with antelopev2 "
            "(%s.onnx), to which these numbers are another face: choose antelopev2 in its loader",
            network, NETWORK,
        )  # fmt: skip
    height, width = picture.shape[:2]
    x, y = int(AROUND * width), int(AROUND * height)
    room = functional.pad(picture, (0, 0, x, x, y, y), value=0.5)
    for view in (picture, room):
        if faces := analysis.get(to_bytes(view).flip(-1).contiguous().cpu().numpy()):  # BGR
            return faces
    log.warning("the face analysis finds no face in the portrait")
    return None


def _vector(source: Any, wanted: int, log: logging.Logger) -> Tensor:
    one = _one_face(source, log)
    numbers = _numbers(one)
    if numbers is not None and numbers.ndim > 1 and numbers.shape[-1] == wanted:
        rows = numbers.reshape(-1, wanted)
        if len(rows) > 1:
            log.warning("%d face embeddings given, one is needed: the first is used", len(rows))
        numbers = rows[0]
    if numbers is None or numbers.shape != (wanted,) or not numbers.isfinite().all():
        raise ValueError(
            f"identity is a face embedding of {wanted} finite numbers, got {_described(numbers)}: "
            "connect insightface's embedding of one face, or a face analysis (antelopev2)"
        )
    return numbers


def _one_face(source: Any, log: logging.Logger) -> Any:
    """The embedding of a face, or of the largest of several; what is no face is handed back."""
    faces = source if isinstance(source, list | tuple) else [source]
    known = [face for face in faces if _embedding(face) is not None]
    if not known:
        return source
    if len(known) > 1:
        log.warning("%d faces given, one is needed: the largest is used", len(known))
    return _embedding(max(known, key=_area))


def _embedding(face: Any) -> Any:
    found = _field(face, "embedding")
    return _field(face, "normed_embedding") if found is None else found


def _area(face: Any) -> float:
    box = _field(face, "bbox")
    return 0.0 if box is None else float((box[2] - box[0]) * (box[3] - box[1]))


def _field(face: Any, name: str) -> Any:
    return face.get(name) if isinstance(face, dict) else getattr(face, name, None)


def _numbers(value: Any) -> Tensor | None:
    """float32 on the CPU; None for what is no numbers."""
    if isinstance(value, Tensor):
        return value.detach().float().cpu()
    try:
        return torch.from_numpy(np.asarray(value, np.float32))
    except (ValueError, TypeError):
        return None


def _described(numbers: Tensor | None) -> str:
    if numbers is None:
        return "something without numbers"
    shape = " x ".join(map(str, numbers.shape)) or "1"
    return shape if numbers.isfinite().all() else f"{shape} of which some are not finite"
