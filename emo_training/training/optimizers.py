"""What updates the weights, and how fast."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .stages import part_of
from .train_config import TrainConfig

BETAS = (0.9, 0.99)
FRESH = ("audio_projection", "audio", "speed")  # parts that pretrained image models lack
Named = Sequence[tuple[str, nn.Parameter]]


def build_optimizer(named: Named, config: TrainConfig) -> torch.optim.Optimizer:
    groups = parameter_groups(named, config)
    if config.optimizer == "adafactor":
        return torch.optim.Adafactor(groups, weight_decay=0.01)
    if config.optimizer == "adamw8bit":
        return adamw_8bit(groups)
    return torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01, fused=True)


def adamw_8bit(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """AdamW with moments of 8 bits (arXiv 2110.02861). Raises ValueError when torchao is not installed."""
    try:
        from torchao.optim import AdamW8bit
    except ImportError as error:
        raise ValueError("adamw8bit needs torchao, which is not installed: pip install torchao") from error
    optimizer: torch.optim.Optimizer = AdamW8bit(groups, betas=BETAS, weight_decay=0.01)
    return optimizer


def parameter_groups(named: Named, config: TrainConfig) -> list[dict[str, Any]]:
    """The trained parameters in optimizer groups: audio and speed layers have their own learning rate."""
    fresh = [p for name, p in named if part_of(name) in FRESH]
    others = [p for name, p in named if part_of(name) not in FRESH]
    rates = ((others, config.lr), (fresh, config.lr * config.fresh_rate))
    return [{"params": group, "lr": rate} for group, rate in rates if group]
