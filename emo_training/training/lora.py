"""LoRA (arXiv 2106.09685): small matrices beside chosen layers are trained, through peft, nothing else."""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

import torch
from torch import Tensor, nn

from emo_modules.checkpoints.adapter import AdapterInfo, LowRank, read_adapter, write_adapter
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.schedule import FewSteps
from emo_modules.writing.partial import whole_file

from .optimizers import Named
from .stages import FROZEN, Stage, part_of
from .state import find_state, saved_weights
from .train_config import TrainConfig

LORA = "lora.safetensors"  # in each state, and at the end in a run's folder
PROJECTIONS = re.compile(r"\.to_(q|k|v|kv|out(\.0)?)$")  # of every attention
STUDENT, FAKE = "default", "fake"  # by peft; the second learns what the student of a distillation makes
TRAINED = re.compile(rf"(.+)\.lora_([AB])\.({STUDENT}|{FAKE})\.weight")  # likewise
NEEDED = "pip install 'emo-portrait[train]'"


def add_lora(model: EMO, stage: Stage, config: TrainConfig) -> Named:
    """Freezes the model, puts LoRA beside the layers that `config` names, and returns what is to be trained.

    It starts as nothing: every B is zero. The same seed gives the same A. Where distributions are matched
    there are two, of which the student's is in use (`use_lora`). Raises ValueError when peft is not
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
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):  # of a second one
        torch.manual_seed(config.seed)
        for name in loras_of(config):
            peft.inject_adapter_in_model(settings, model, name)
    use_lora(model, STUDENT)
    named = [(name, p) for name, p in model.named_parameters() if TRAINED.fullmatch(name)]
    for _, parameter in named:
        parameter.requires_grad_()
    return named


def loras_of(config: TrainConfig) -> tuple[str, ...]:
    """By peft's names."""
    matched = config.distill is not None and config.distill.method == "dmd2"
    return (STUDENT, FAKE) if matched else (STUDENT,)


def use_lora(model: nn.Module, name: str | None) -> None:
    """Which LoRA changes the layers from now on, and alone learns; none for the model as it was."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.enable_adapters(name is not None)
            if name is not None:
                module.set_adapter(name)


@contextmanager
def without_lora(model: nn.Module) -> Iterator[None]:
    """The model is in this block as it was before its LoRA."""
    use_lora(model, None)
    yield
    use_lora(model, STUDENT)


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
    """Trained parameters under peft's names -> the layers that they change, but for what only helps."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, value in values:
        match = TRAINED.fullmatch(name)
        assert match is not None  # nothing else is trained
        if match[3] == STUDENT:
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
    base = notes.get("title", model.name)
    info = AdapterInfo(model.family, config.lora or 0, parts, base, few_steps_of(config))
    write_adapter(path, info, layers, notes)


def copy_lora(folder: Path, written: Path | None = None) -> Path:
    """The newest state's averaged LoRA, to where a user looks for it: the folder, if nowhere else. Raises as
    `saved_weights`, and WriteError."""
    written = written or folder / LORA
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
    check_same_distillation(folder, found.info.few_steps, few_steps_of(config))


def few_steps_of(config: TrainConfig) -> FewSteps | None:
    return config.distill.few_steps if config.distill else None


def check_same_distillation(folder: Path, found: FewSteps | None, asked: FewSteps | None) -> None:
    if found != asked:
        there, wanted = (f"{few.method} to {few}" if few else "none" for few in (found, asked))
        raise ValueError(
            f"{folder} has a distillation of {there}, asked for is {wanted}: go on with the same options, or "
            "name another --out"
        )


def _shapes(layers: dict[str, LowRank]) -> dict[str, tuple[tuple[int, ...], float]]:
    return {name: (tuple(layer.down.shape), layer.alpha) for name, layer in layers.items()}
