"""LoRA (arXiv 2106.09685): small matrices beside chosen layers are trained, through peft, nothing else."""

import re
from collections.abc import Iterable
from pathlib import Path
from shutil import copyfile

import torch
from torch import Tensor, nn

from emo_modules.checkpoints.adapter import AdapterInfo, LowRank, read_adapter, write_adapter
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.writing.partial import whole_file

from .optimizers import Named
from .stages import FROZEN, Stage, part_of
from .state import find_state, saved_weights
from .train_config import TrainConfig

LORA = "lora.safetensors"  # in each state, and at the end in a run's folder
PROJECTIONS = re.compile(r"\.to_(q|k|v|kv|out(\.0)?)$")  # of every attention
TRAINED = re.compile(r"(.+)\.lora_([AB])\.default\.weight")  # peft's names
NEEDED = "pip install 'emo-portrait[train]'"


def add_lora(model: EMO, stage: Stage, config: TrainConfig) -> Named:
    """Freezes the model, puts LoRA beside the layers that `config` names, and returns what is to be trained.

    It starts as nothing: every B is zero. The same seed gives the same A. Raises ValueError when peft is not
    installed, or the model has no such layer.
    """
    try:
        import peft
    except ImportError as error:
        raise ValueError(f"--lora needs peft, which is not installed: {NEEDED}") from error

    targets = target_layers(model, stage, config)
    if not targets:
        raise ValueError(
            f"{model.config.name} has no {config.lora_layers} layers in the parts that stage {config.stage} "
            "trains: choose --lora-layers all or --lora-parts all"
        )
    settings = peft.LoraConfig(r=config.lora or 0, lora_alpha=alpha_of(config), target_modules=targets)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        peft.inject_adapter_in_model(settings, model)
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def alpha_of(config: TrainConfig) -> int:
    """The rank where none is given: what is learned counts as it is."""
    return (config.lora or 0) if config.lora_alpha is None else config.lora_alpha


def target_layers(model: EMO, stage: Stage, config: TrainConfig) -> list[str]:
    """The names of the layers that get LoRA, in the stage's parts or in all."""

    def chosen(name: str, module: nn.Module) -> bool:
        part = part_of(f"{name}.weight")
        if part == FROZEN or (config.lora_parts == "stage" and part not in stage.trains):
            return False
        kinds = (nn.Linear, nn.Conv2d) if config.lora_layers == "all" else nn.Linear
        return isinstance(module, kinds) and (
            config.lora_layers != "attention" or PROJECTIONS.search(name) is not None
        )

    return [name for name, module in model.named_modules() if chosen(name, module)]


def low_rank_layers(values: Iterable[tuple[str, Tensor]], alpha: float) -> dict[str, LowRank]:
    """Trained parameters under peft's names -> the layers that they change."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, value in values:
        match = TRAINED.fullmatch(name)
        assert match is not None  # nothing else is trained
        halves.setdefault(match[1], {})[match[2]] = value
    return {name: LowRank(half["A"], half["B"], alpha) for name, half in halves.items()}


def save_lora(
    path: Path,
    config: TrainConfig,
    model: EMOConfig,
    values: Iterable[tuple[str, Tensor]],
    notes: dict[str, str],
) -> None:
    """What was trained, as `animate --lora` and the nodes take it. Raises WriteError."""
    layers = low_rank_layers(values, alpha_of(config))
    parts = tuple(sorted({name.split(".")[0] for name in layers}))
    info = AdapterInfo(model.family, config.lora or 0, parts, notes.get("title", model.name))
    write_adapter(path, info, layers, notes)


def copy_lora(folder: Path) -> Path:
    """The newest state's averaged LoRA, to where a user looks for it. Raises as `saved_weights`, and
    WriteError."""
    written = folder / LORA
    with whole_file(written) as partial:
        copyfile(saved_lora(folder), partial)
    return written


def saved_lora(folder: Path) -> Path:
    """The newest state's averaged LoRA. Raises as `saved_weights`."""
    return saved_weights(folder).with_name(LORA)


def check_goes_on(folder: Path, named: Named, model: EMOConfig, config: TrainConfig) -> None:
    """Raises ValueError when the run in this folder trains another LoRA than is asked for, or none."""
    if (state := find_state(folder)) is None:
        return
    path = state / LORA
    if path.exists() == (config.lora is None):
        there, asked_for = ("a LoRA", "whole layers") if path.exists() else ("whole layers", "a LoRA")
        raise ValueError(f"{folder} trains {there}, asked for is to train {asked_for}: name another --out")
    if config.lora is None:
        return
    found, asked = read_adapter(path), low_rank_layers(named, alpha_of(config))
    if _shapes(found.layers) != _shapes(asked):
        raise ValueError(
            f"{folder} has a LoRA of rank {found.info.rank} on {len(found.layers)} layers of "
            f"{found.info.family}, asked for is rank {config.lora} with alpha {alpha_of(config)} on "
            f"{len(asked)} of {model.family}: go on with the same options, or name another --out"
        )


def _shapes(layers: dict[str, LowRank]) -> dict[str, tuple[tuple[int, ...], float]]:
    return {name: (tuple(layer.down.shape), layer.alpha) for name, layer in layers.items()}
