"""LoRAs of random numbers, as training writes them."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from emo_modules.checkpoints.adapter import AdapterInfo, AdapterUse, LowRank, write_adapter
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.schedule import FewSteps

PARTS = ("backbone", "reference_net")
ALPHA = 3.0  # neither 1 nor the rank


def random_layers(model: nn.Module, parts: Iterable[str] = PARTS, rank: int = 2) -> dict[str, LowRank]:
    """On every query, and on the first convolution of each part; `model` may be on the meta device."""
    generator, layers = torch.Generator().manual_seed(0), {}
    for name, module in model.named_modules():
        wanted = name.endswith(".to_q") or name.split(".")[1:] == ["conv_in"]
        if wanted and name.split(".")[0] in parts:
            out, *rest = module.weight.shape
            down = 0.3 * torch.randn(rank, *rest, generator=generator)
            up = 0.3 * torch.randn(out, rank, *[1] * (len(rest) - 1), generator=generator)
            layers[name] = LowRank(down, up, ALPHA)
    return layers


def random_lora(
    path: Path,
    config: EMOConfig,
    parts: Iterable[str] = PARTS,
    rank: int = 2,
    notes: dict[str, str] | None = None,
    family: str | None = None,
    few_steps: FewSteps | None = None,
) -> AdapterUse:
    with torch.device("meta"):
        model = EMO(config)
    layers = random_layers(model, parts, rank)
    info = AdapterInfo(family or config.family, rank, tuple(sorted(parts)), "the small one", few_steps)
    write_adapter(path, info, layers, notes)
    return AdapterUse(path)
