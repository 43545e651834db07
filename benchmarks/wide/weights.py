"""Random weights of billions of parameters, made in a second and the same on every device."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO

BLOCK = 1_000_003  # prime, so that rows of a matrix are never alike: each starts elsewhere in the block


@torch.no_grad()
def random_emo(config: EMOConfig, device: torch.device) -> EMO:
    """Float32; of the scale that PyTorch gives new layers, and no layer at the zeros it would start with."""
    with torch.device("meta"):
        model = EMO(config)
    model.to_empty(device=device)
    for parameter, (_, numbers) in zip(model.parameters(), random_weights(model, device), strict=True):
        parameter.copy_(numbers)
    return model


def random_weights(model: nn.Module, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Float32, by name, for a model that may be on the meta device: one block of numbers over and over."""
    block, start = torch.randn(BLOCK, generator=torch.Generator().manual_seed(0)).to(device), 0
    longest = max(parameter.numel() for parameter in model.parameters())
    blocks = block.repeat(2 + longest // BLOCK)
    for name, parameter in model.named_parameters():
        count = parameter.numel()
        yield name, scaled(name, blocks[start : start + count].view(parameter.shape))
        start = (start + count) % BLOCK


def scaled(name: str, numbers: Tensor) -> Tensor:
    """Matrices by their inputs; vectors near 0, those that multiply near 1."""
    if numbers.ndim > 1:
        return numbers / math.sqrt(3 * numbers[0].numel())
    return 0.1 * numbers + float(name.endswith(".weight"))
