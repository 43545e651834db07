"""EMO's checkpoint: one safetensors file, perhaps split, parts by prefix, configuration in its metadata."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config import EMOConfig, ScheduleConfig
from ..families.family import SpeechEncoder
from ..families.table import family_of
from ..models.cpu import operations_for
from ..models.emo import EMO
from ..weights.reading import describe_keys, read_header, read_tensors
from ..weights.rename import assign_strict, check_fit
from ..writing.digest import digest, file_digest
from .adapter import AdapterUse, Applied, read_adapter
from .files import find_files, write_files
from .released import is_released, read_released, released_files
from .vae import VAE, build_vae

DEMO_CHECKPOINT = Path(__file__).parents[1] / "demo"
CONFIG = "emo_config"
NOTE = 2000  # characters of a note that are kept: they are shown to the user
OTHER_METADATA = (CONFIG, "format", "digest")
PARTS = (
    "backbone",
    "reference_net",
    "face_locator",
    "audio_projection",
    "speed_encoder",
    "portrait_encoder",
    "refiner",
    "painter",
    "motion_code_encoder",
    "audio_encoder",
    "vae",
)
EXPECTED = "an EMO checkpoint (safetensors with emo_config in its metadata)"
WHERE = (
    "The demo model comes with this project; `python -m emo_training train` writes others. Stable "
    "Diffusion and AnimateDiff files can only start a training."
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint's files hold: configuration, tensors by full key, and its notes."""

    path: Path
    config: EMOConfig
    tensors: dict[str, Tensor]
    notes: dict[str, str]
    remedy: str
    files_digest: str = ""  # which files these are, as `file_digest` tells them apart
    adapters: tuple[Applied, ...] = ()  # which change the tensors as they are loaded

    @contextmanager
    def on_meta(self) -> Iterator[None]:
        """Modules made inside take no memory until `load_into`. Raises ValueError that names the file when
        its configuration cannot be built."""
        try:
            with torch.device("meta"):
                yield
        except ValueError as error:
            raise ValueError(f"{self.path}: its configuration cannot be built: {error}") from error

    def has(self, part: str) -> bool:
        return any(key.startswith(f"{part}.") for key in self.tensors)

    def load_into(
        self, modules: dict[str, nn.Module], device: torch.device | str, dtype: torch.dtype | None
    ) -> None:
        """Tensors of these parts replace the modules' own; floating-point ones become `dtype`, or stay.

        Raises ValueError listing keys that are missing, left over or of another shape.
        """
        whole, tensors = nn.ModuleDict(modules), self._of(modules)
        if dtype is None:
            tensors = {key: value.to(self.tensors[key].dtype) for key, value in tensors.items()}
        assign_strict(whole, tensors, str(self.path), device, dtype, self.remedy)

    def check(self, modules: dict[str, nn.Module]) -> None:
        """Raises as `load_into`, and loads nothing."""
        check_fit(nn.ModuleDict(modules), self._of(modules), str(self.path), None, self.remedy)

    def with_adapters(self, uses: Sequence[AdapterUse]) -> "Checkpoint":
        """With the schedule of few steps that an adapter brings, if one of them counts that does.

        Raises as `read_adapter`, and ValueError for a LoRA of another family or of other layers.
        """
        applied = [Applied(read_adapter(use.path), use.strength) for use in uses]
        for one in applied:
            one.adapter.check(self.config, {key: tuple(value.shape) for key, value in self.tensors.items()})
        source = digest(self.files_digest, [use.digest() for use in uses])
        config = replace(self.config, schedule=self._schedule_with(applied))
        return replace(self, config=config, adapters=(*self.adapters, *applied), files_digest=source)

    def _schedule_with(self, applied: Sequence[Applied]) -> ScheduleConfig:
        """Raises ValueError for two that were made for different steps."""
        found = [(one.adapter.path, one.adapter.info.few_steps) for one in applied if one.strength]
        few = {steps: path for path, steps in found if steps}
        if len(few) > 1:
            told = " and ".join(f"{path} for {steps}" for steps, path in few.items())
            raise ValueError(f"two LoRAs were made for different steps, {told}: leave one of them out")
        schedule = self.config.schedule
        return next((steps.of_schedule(schedule) for steps in few), schedule)

    def tensor(self, key: str) -> Tensor:
        """With what adapters change of it, float32 where they do."""
        value = self.tensors[key]
        for one in self.adapters:
            value = one.changed(key, value)
        return value

    def _of(self, modules: dict[str, nn.Module]) -> dict[str, Tensor]:
        return {key: self.tensor(key) for key in self.tensors if key.split(".", 1)[0] in modules}


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory, in eval mode. `vae` and `audio_encoder` are None when the file has none."""

    config: EMOConfig
    model: EMO | None  # None when it was not asked for
    vae: VAE | None
    audio_encoder: SpeechEncoder | None
    notes: dict[str, str]


def save_checkpoint(
    path: Path | str,
    config: EMOConfig,
    parts: dict[str, nn.Module],
    notes: dict[str, str] | None = None,
    dtype: torch.dtype | None = None,
    max_bytes: int | None = None,
) -> list[Path]:
    """Write `parts` (`dict(model.named_children())`, perhaps `vae` and `audio_encoder`); returns the files.

    `notes` are free words such as the licence. With `dtype` floating-point tensors are stored in it; with
    `max_bytes` a larger checkpoint becomes `<stem>-00001-of-0000N.safetensors`. Raises ValueError for a part
    of another name.
    """
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"a checkpoint has the parts {', '.join(PARTS)}; got {', '.join(unknown)}")
    if taken := sorted(set(notes or {}) & set(OTHER_METADATA)):
        raise ValueError(f"a note may not be called {', '.join(taken)}: the checkpoint itself uses that name")
    state = nn.ModuleDict(parts).state_dict()
    tensors = {
        key: value.to("cpu", dtype if value.is_floating_point() else None).contiguous()
        for key, value in state.items()
    }
    return write_files(Path(path), tensors, (notes or {}) | {CONFIG: config.to_json()}, max_bytes)


def load_checkpoint(
    path: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = torch.float32,
    emo: bool = True,
    adapters: Sequence[AdapterUse] = (),
) -> Loaded:
    """Read a file, one of its pieces, or a folder of pieces; floating-point tensors become `dtype`, or stay.

    Without `emo` only what stands beside the model: VAE and audio encoder. Raises ValueError naming the
    file, what was expected and what was found when it is not a whole EMO checkpoint or an adapter does not
    fit it, and FileNotFoundError when nothing is there.
    """
    found = read_checkpoint(path, adapters)
    config = found.config
    operations = operations_for(device)
    with found.on_meta():
        model = EMO(config, operations).eval() if emo else None
        vae = build_vae(config).eval() if found.has("vae") else None
        encoder = family_of(config).hearing.build(config.audio).eval() if found.has("audio_encoder") else None
    extras = {name: part for name, part in (("vae", vae), ("audio_encoder", encoder)) if part is not None}
    found.load_into((dict(model.named_children()) if model else {}) | extras, device, dtype)
    return Loaded(config, model, vae, encoder, found.notes)


def read_checkpoint(path: Path | str, adapters: Sequence[AdapterUse] = ()) -> Checkpoint:
    """Read a file, one of its pieces, or a folder of pieces, without building a model.

    Raises ValueError when it is not an EMO checkpoint, has parts of another name or is none that the adapters
    were trained on, and FileNotFoundError when nothing is there.
    """
    found = _read_files(Path(path))
    return found.with_adapters(adapters) if adapters else found


def _read_files(path: Path) -> Checkpoint:
    if is_released(path):
        release, tensors = read_released(path)
        _check_parts(path, release.config, list(tensors))
        source = file_digest(*checkpoint_files(path))
        return Checkpoint(path, release.config, tensors, release.notes, release.remedy, source)
    files = find_files(path)
    metadata, keys = _agreeing_headers(path, files)
    config = _config(path, metadata, keys)
    _check_parts(path, config, keys)
    notes = {key: value[:NOTE] for key, value in metadata.items() if key not in OTHER_METADATA}
    tensors = read_tensors(files)
    _check_size(path, config, tensors)
    return Checkpoint(path, config, tensors, notes, f"Expected is {EXPECTED}. {WHERE}", file_digest(*files))


def checkpoint_files(path: Path) -> list[Path]:
    """All files that `read_checkpoint` reads, or may. Raises as it."""
    return released_files(path) if is_released(path) else find_files(path)


def _agreeing_headers(path: Path, files: list[Path]) -> tuple[dict[str, str], list[str]]:
    metadata, keys = read_header(files[0], EXPECTED)
    for file in files[1:]:
        other, more = read_header(file, EXPECTED)
        if other != metadata:
            raise ValueError(
                f"{path}: {files[0].name} and {file.name} are of different checkpoints; "
                "name one of them, or get all pieces of one"
            )
        keys += more
    return metadata, keys


def _config(path: Path, metadata: dict[str, str], keys: list[str]) -> EMOConfig:
    if CONFIG not in metadata:
        raise ValueError(f"{path}: expected {EXPECTED}; found {describe_keys(keys)}. {WHERE}")
    try:
        config = EMOConfig.from_json(metadata[CONFIG])
        family_of(config)
    except ValueError as error:
        raise ValueError(f"{path}: its configuration cannot be read: {error}") from error
    return config


def _check_size(path: Path, config: EMOConfig, tensors: dict[str, Tensor]) -> None:
    """Before anything is built, even without memory: a configuration may ask for thousands of layers."""
    asked = config.backbone.least_parameters + config.reference_net.least_parameters
    found = sum(tensor.numel() for tensor in tensors.values())
    if asked > found:
        raise ValueError(
            f"{path}: its configuration asks for at least {asked} parameters, it has {found}: another file's "
            "configuration, or a part of the file is lost. Get it again"
        )


def _check_parts(path: Path, config: EMOConfig, keys: list[str]) -> None:
    absent = {
        "speed_encoder": not config.backbone.speed_dim,
        "portrait_encoder": not config.moving,
        "refiner": not config.moving,
        "painter": not config.moving,
        "motion_code_encoder": not config.motion_code,
    }
    allowed = {part for part in PARTS if not absent.get(part)}
    unexpected = sorted(key for key in keys if key.split(".", 1)[0] not in allowed)
    if unexpected:
        raise ValueError(
            f"{path} has {len(unexpected)} keys of parts that {config.name} does not have, such as "
            f"{unexpected[0]}. Expected is {EXPECTED}. {WHERE}"
        )
