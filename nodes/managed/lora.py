"""LoRAs on both of EMO's models: the MODEL, and the ReferenceNet that core's LoRA loaders do not reach."""

import json
import logging
from dataclasses import replace
from typing import Any

import comfy.lora
import comfy.model_patcher
import torch

from ...emo_modules.checked import from_dict
from ...emo_modules.checkpoints.adapter import (
    DENOISER,
    FILE_REMEDY,
    INFO,
    REFERENCE_NET,
    Adapter,
    AdapterUse,
    LowRank,
    read_adapter,
)
from ...emo_modules.config import ScheduleConfig
from ...emo_modules.schedule import FewSteps
from .model import EMOModel
from .reference import ReferenceNet

LORAS = "emo_loras"  # the MODEL's attachment: what `ReferenceNet.loras` must be too
FEW_STEPS = "emo_few_steps"  # likewise: what a LoRA on it was distilled to
CORE = "lora_metadata"  # the attachment that core's LoRA loaders leave, in newer versions


def apply_lora(
    model: comfy.model_patcher.ModelPatcher, net: ReferenceNet, use: AdapterUse, log: logging.Logger
) -> tuple[comfy.model_patcher.ModelPatcher, ReferenceNet]:
    """Clones of both, changed as they are loaded. `model` is EMO's.

    Raises ValueError when the file is no LoRA for them, before either is changed.
    """
    adapter = read_adapter(use.path)
    check_fits(adapter, model.model, net)
    if "licence" in adapter.notes:
        log.info("%s. Licence of the weights: %s.", use.path.stem, adapter.notes["licence"])
    few = adapter.info.few_steps if use.strength else None
    if few:
        log.info(
            "%s was made for %d steps of %s with cfg %g: EMO Sampler takes them where steps and cfg are 0",
            use.path.stem, few.steps, few.solver, few.cfg,
        )  # fmt: skip
    beside = {name: low for name, low in adapter.layers.items() if name.startswith(f"{REFERENCE_NET}.")}
    own = {name: low for name, low in adapter.layers.items() if name not in beside}
    model, patcher = model.clone(), net.patcher.clone()
    model.add_patches(patches({f"{DENOISER}{name}": low for name, low in own.items()}), use.strength)
    patcher.add_patches(
        patches({name.removeprefix(f"{REFERENCE_NET}."): low for name, low in beside.items()}), use.strength
    )
    if few:
        model.set_attachments(FEW_STEPS, few)
    if not beside:
        return model, net
    loras = (*net.loras, use.digest())
    model.set_attachments(LORAS, (*attached(model), use.digest()))
    return model, replace(net, patcher=patcher, loras=loras)


def check_fits(adapter: Adapter, model: EMOModel, net: ReferenceNet) -> None:
    """Raises ValueError for another family, other layers, or two models of different checkpoints."""
    config = model.diffusion_model.config
    if net.config != config:
        raise ValueError(
            f"the model is {config.name}, the ReferenceNet {net.config.name} or of another configuration: "
            "connect both outputs of one EMO Load Model"
        )
    written = net.patcher.model.state_dict().items()
    state = model.diffusion_model.state_dict() | {f"{REFERENCE_NET}.{key}": value for key, value in written}
    adapter.check(config, {key: tuple(value.shape) for key, value in state.items()})


def patches(layers: dict[str, LowRank]) -> dict[str, Any]:
    """As core's loader makes them: it computes them in the way that suits the weights' type."""
    parts: dict[str, Any] = {}
    for name, low in layers.items():
        alpha = torch.tensor(low.alpha)
        parts |= {
            f"{name}.lora_up.weight": low.up,
            f"{name}.lora_down.weight": low.down,
            f"{name}.alpha": alpha,
        }
    found: dict[str, Any] = comfy.lora.load_lora(parts, {name: f"{name}.weight" for name in layers})
    return found


def own_schedule(model: comfy.model_patcher.ModelPatcher) -> ScheduleConfig:
    """The schedule that an EMO model was made for, or the LoRA on it that was distilled."""
    schedule: ScheduleConfig = model.model.diffusion_model.config.schedule
    few: FewSteps | None = model.get_attachment(FEW_STEPS)
    if few is None and (told := core_info(model).get("few_steps")):
        few = from_dict(FewSteps, told, FILE_REMEDY)
    return few.of_schedule(schedule) if few else schedule


def core_info(model: comfy.model_patcher.ModelPatcher) -> dict[str, Any]:
    """What the metadata say of the LoRA that core's loader put on the model, if it did."""
    found: dict[str, Any] = json.loads((model.get_attachment(CORE) or {}).get(INFO, "{}"))
    return found


def attached(model: comfy.model_patcher.ModelPatcher) -> tuple[str, ...]:
    return model.get_attachment(LORAS) or ()


def check_same_loras(model: comfy.model_patcher.ModelPatcher, net: ReferenceNet) -> None:
    """Raises ValueError when a LoRA changes one of the two, though it was trained to change both."""
    if REFERENCE_NET in core_info(model).get("parts", ()):
        raise ValueError(
            "the model's LoRA changes ReferenceNet too, which core's LoRA loaders do not reach: use EMO Load "
            "LoRA, before EMO Reference Net Encode"
        )
    if attached(model) != net.loras:
        raise ValueError(
            f"the model has {len(attached(model))} LoRAs that change ReferenceNet, the portrait was read "
            f"with {len(net.loras)} or others: connect both outputs of EMO Load LoRA"
        )
