"""How weights are stored that a training does not change: they need neither float32 nor 16 bits."""

import torch
from torch import nn

from .train_config import TrainConfig


def store_frozen(model: nn.Module, config: TrainConfig) -> None:
    """Convolutions and linear layers that are not trained become bfloat16, or linear layers 8 bit through
    torchao; norms, which autocast computes in float32, and everything that trains stay float32.

    Raises ValueError when torchao is needed and not installed.
    """
    if config.frozen == "fp32":
        return
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not any(
            p.requires_grad for p in module.parameters()
        ):
            module.to(torch.bfloat16)
    if config.frozen == "int8":
        quantise(model)


def quantise(model: nn.Module) -> None:
    """The bfloat16 weights of linear layers, each row with a scale of its own."""
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        raise ValueError("frozen: int8 needs torchao, which is not installed: pip install torchao") from error

    def frozen(module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Linear) and module.weight.dtype == torch.bfloat16

    quantize_(model, Int8WeightOnlyConfig(), frozen)
