"""The portrait out of an IMAGE."""

import logging

from torch import Tensor

from ...emo_modules.media.image import to_rgb


def one_picture(image: Tensor, log: logging.Logger) -> Tensor:
    """IMAGE (B, H, W, C) -> (H, W, 3) float32: the first of a batch, on white where transparent."""
    if len(image) > 1:
        log.warning("%d pictures given, one portrait is needed: the first is used", len(image))
    return to_rgb(image[0].float())
