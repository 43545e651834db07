"""Whether a portrait is of a kind that the weights were trained on."""

from collections.abc import Iterator

from torch import Tensor

from ..config import EMOConfig

NEAR = 0.1  # of a side: how far from the size of training the weights still do what they learned


def unfamiliar(config: EMOConfig, picture: Tensor) -> Iterator[str]:
    """What of the crop (3, H, W) the weights have not learned."""
    height, width = picture.shape[1:]
    if max(abs(width / config.width - 1), abs(height / config.height - 1)) > NEAR:
        yield (
            f"{config.name} was trained at {config.width}x{config.height}, the crop is {width}x{height}: the "
            f"mouth may hardly move; crop to {config.width}x{config.height}"
        )
