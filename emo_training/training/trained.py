"""What a run trains: the parts of its stage, or LoRA beside their layers; and what of it is written."""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emo_modules.models.emo import EMO

from .average import averaged_parameters, averaged_weights
from .frozen import store_frozen
from .lora import LORA, add_lora, save_lora
from .optimizers import Named
from .stages import Stage, select_parameters
from .state import WEIGHTS
from .train_config import TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers.training_utils import EMAModel

OWN = "trained.safetensors"  # in a state's folder


def trained_parameters(model: EMO, stage: Stage, config: TrainConfig) -> Named:
    """Freezes the rest, which is stored as `config` says. Raises as `add_lora` and `store_frozen`."""
    if config.lora is None:
        return select_parameters(model, stage)
    named = add_lora(model, stage, config)
    store_frozen(model, config)
    return named


def save_average(
    folder: Path,
    model: EMO,
    named: Named,
    ema: "EMAModel | None",
    config: TrainConfig,
    notes: dict[str, str],
) -> None:
    """All weights of the averaged model, or its LoRA alone. Raises WriteError."""
    if config.lora is None:
        save_file(averaged_weights(model, named, ema), folder / WEIGHTS)
    else:
        save_lora(folder / LORA, config, model.config, averaged_parameters(named, ema).items(), notes)


def keep_only_trained(accelerator: "Accelerator", named: Named) -> None:
    """States hold the trained parameters alone: the others, gigabytes of them, are where the run started."""

    def save(models: list[nn.Module], weights: list[dict[str, Tensor]], folder: str) -> None:
        weights.clear()
        if accelerator.is_main_process:
            save_file({name: p.detach().cpu().contiguous() for name, p in named}, Path(folder) / OWN)

    def load(models: list[nn.Module], folder: str) -> None:
        models.clear()
        saved = load_file(Path(folder) / OWN)
        for name, p in named:
            p.data.copy_(saved[name])

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)
