"""What a training step takes of a GPU's memory, by structure, stage and setting.

    python -m benchmarks.train_memory                      # every row of the table of docs/training.md
    python -m benchmarks.train_memory --structure hallo --stage video --setting lora

Nothing is computed and no GPU is needed: tensors are fake, attention and norms keep what they keep on a GPU
under autocast, and the bytes of those alive are counted as each operation of the forward and the backward
pass runs. What PyTorch's allocator and CUDA itself take comes on top, about a gigabyte.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from benchmarks.activations import Peak
from benchmarks.wide.one_clip import random_clip
from emo_modules.config import EMOConfig
from emo_modules.families.table import RELEASES
from emo_modules.models.attention import Operations
from emo_modules.models.emo import EMO
from emo_training.training.sample_set import Batch
from emo_training.training.stages import PAPER_STAGES, stage_of
from emo_training.training.train_config import TrainConfig
from emo_training.training.trained import trained_parameters

STRUCTURES: dict[str, Callable[[], EMOConfig]] = {
    "paper": EMOConfig.sd15,
    "echomimic": lambda: RELEASES["echomimic"].config,
    "hallo": lambda: RELEASES["hallo"].config,
    "v-express": lambda: RELEASES["v_express"].config,
}
LORA = {"lora": 16, "lora_parts": "all", "recompute": True, "precision": "bf16"}
SETTINGS: dict[str, dict[str, Any]] = {
    "whole": {"precision": "bf16", "recompute": True},
    "whole, small": {"precision": "bf16", "recompute": True, "optimizer": "adafactor", "ema": None},
    "lora, fp32": LORA,
    "lora": LORA | {"frozen": "bf16", "ema_on_cpu": True},
    "lora, kept": LORA | {"frozen": "bf16", "ema_on_cpu": True, "recompute": False},
}
MOMENTS = {"adamw": 8, "adamw8bit": 2, "adafactor": 0}  # bytes of a parameter's


def flash(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """What a GPU's attention keeps: queries, keys, values and the output, no weights."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2).bfloat16() for t in (query, key, value))
    out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[0]
    return out.transpose(1, 2).flatten(2)


class GroupNorm(nn.GroupNorm):
    """In float32, as CUDA's autocast has it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


class LayerNorm(nn.LayerNorm):
    """In float32, as CUDA's autocast has it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


class GPUOperations(Operations):
    GroupNorm = GroupNorm
    LayerNorm = LayerNorm
    attend = staticmethod(flash)


def made(model: EMO) -> EMO:
    """The weights of the meta device become fake ones."""
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            fake = torch.empty(p.shape, dtype=p.dtype)
            module.register_parameter(name, nn.Parameter(fake, p.requires_grad))
    return model


def fake(batch: Batch) -> Batch:
    """The same shapes without numbers."""
    sizes = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return type(batch)(**{name: torch.empty(t.shape, dtype=t.dtype) for name, t in sizes.items()})


def bytes_of(tensors: Iterator[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def count(config: EMOConfig, run: TrainConfig, frames: int) -> dict[str, float]:
    """Gigabytes; `step` are gradients, activations and what else is alive at the worst moment."""
    stage = stage_of(config, run.stage)
    clip = random_clip(config, stage, frames if stage.clips else 1)
    with torch.device("meta"):
        model = EMO(config, GPUOperations)
        trained_parameters(model, stage, run)
    with FakeTensorMode(allow_non_fake_inputs=True):
        if run.recompute:
            model.backbone.recompute_layers()
            model.reference_net.recompute_layers()
        trained = [p for p in made(model).parameters() if p.requires_grad]
        with Peak(model.parameters()) as peak:
            batch = fake(clip)
            with torch.autocast("cpu", torch.bfloat16):
                given = batch.conditions(stage.clips, stage.speed)
                predicted = model(batch.latents, torch.empty(batch.latents.shape[:2]), **given)
            predicted.float().square().mean().backward()
        weights, own = bytes_of(model.parameters()), bytes_of(iter(trained))
        moments = MOMENTS[run.optimizer] * sum(p.numel() for p in trained)
    average = 0 if run.ema is None or run.ema_on_cpu else own
    parts = {"weights": weights, "moments": moments, "average": average, "step": peak.peak}
    return {
        "trained_millions": round(sum(p.numel() for p in trained) / 1e6, 1),
        **{name: round(size / 1e9, 2) for name, size in parts.items()},
        "together": round(sum(parts.values()) / 1e9, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--structure", choices=sorted(STRUCTURES))
    parser.add_argument("--stage", choices=sorted(PAPER_STAGES))
    parser.add_argument("--setting", choices=sorted(SETTINGS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--frames", type=int, default=12, help="of a clip; stage image sees one picture")
    options = parser.parse_args()
    for structure in [options.structure] if options.structure else STRUCTURES:
        config = replace(STRUCTURES[structure](), width=options.size, height=options.size)
        # the relatives have no layers for speed, and no stage of pictures alone
        stages = PAPER_STAGES if structure == "paper" else ["video"]
        for stage in [options.stage] if options.stage else stages:
            for setting in [options.setting] if options.setting else SETTINGS:
                asked: dict[str, Any] = {"stage": stage, "steps": 1} | SETTINGS[setting]
                run = TrainConfig(**asked)
                found = count(config, run, options.frames)
                row = {"structure": structure, "stage": stage, "setting": setting}
                print(json.dumps(row | found), flush=True)


if __name__ == "__main__":
    main()
