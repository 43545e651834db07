"""The relatives' weights as they were released: several files, found by name, their parts renamed to ours."""

import re
from pathlib import Path

from torch import Tensor

from ..weights.animatediff import animatediff_motion_modules
from ..weights.reading import describe_keys, read_weights
from ..weights.rename import Rules, rename
from .families import FAMILIES, Family

SUFFIXES = (".safetensors", ".pth", ".bin", ".pt", ".ckpt")
MAIN = "denoising_unet"
COMPANIONS = ("motion_module", "reference_unet", "reference_net", "face_locator", "audio_projection")
COMPANIONS += ("v_kps_guider",)
EXPECTED = (
    "weights of EMO's relatives: net.pth of Hallo, Hallo2 or JoyHallo, or denoising_unet of EchoMimic or "
    "V-Express with its other files beside it"
)

BLOCK = r"(attentions\.\d+\.transformer_blocks\.0\.)"
AUDIO = [(BLOCK + r"attn2\.", r"\1attn_audio."), (BLOCK + r"norm2\.", r"\1norm_audio.")]
REFERENCE = [(BLOCK + r"attn1_5\.", r"\1attn_ref."), (BLOCK + r"norm1_5\.", r"\1norm_ref.")]
HALLO_PARTS: Rules = [
    (r"^denoising_unet\.", "backbone."),
    (r"^reference_unet\.", "reference_net."),
    (r"^imageproj\.", "reference_net.identity_projection."),
    (r"^audioproj\.", "audio_projection."),
]
# What the originals' own inference never reads: output layers of V-Express's ReferenceNet, and Hallo's
# temporal modules where there is no attention (AnimateDiff's, as they were)
UNREAD = {
    "v_express": r"^reference_net\.conv_(norm_)?out\.",
    "hallo": r"^backbone\.(down_blocks\.3|up_blocks\.0)\.motion_modules\.",
}


def is_companion(name: str) -> bool:
    """Whether a file's name is one of a set's other files, which its `denoising_unet` finds by itself."""
    return Path(name).stem.startswith(COMPANIONS)


def is_released(path: Path) -> bool:
    """Whether a path is to be read here, and not as our own checkpoint."""
    if path.is_dir():
        return any(is_released(file) for file in path.iterdir() if file.is_file())
    return path.suffix in SUFFIXES[1:] or path.stem == MAIN or path.stem.startswith(f"{MAIN}_")


def read_released(path: Path) -> tuple[Family, dict[str, Tensor]]:
    """Tensors under our names, memory-mapped.

    Raises ValueError naming the file, what was expected, what was found and the remedy, and
    FileNotFoundError when a file of the set is not there.
    """
    main = _main_file(path)
    state = read_weights(main, EXPECTED)
    if any(key.startswith("denoising_unet.") for key in state):
        name, tensors = _hallo(main, state)
    elif any(".attn1_5." in key for key in state):
        name, tensors = _v_express(main, state)
    elif _width(state) == 384:
        name, tensors = _echomimic(main, state)
    else:
        raise ValueError(f"{main}: expected {EXPECTED}; found {describe_keys(list(state))}. {_where()}")
    family = FAMILIES[name]
    unread = UNREAD.get(family.config.family, "$^")
    return family, {key: value for key, value in tensors.items() if not re.search(unread, key)}


def _main_file(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: nothing there; expected {EXPECTED}")
    if not path.is_dir():
        if is_companion(path.name):
            raise ValueError(f"{path} is one part of a set: name its {MAIN} file, which finds the others")
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    mains = [f for f in files if f.stem.startswith(MAIN)] or [f for f in files if f.stem == "net"]
    if len(mains) != 1:
        found = ", ".join(f.name for f in mains or files) or "no weights"
        raise ValueError(f"{path}: expected one set of {EXPECTED}; found {found}: name one file")
    return mains[0]


def _where() -> str:
    places = ", ".join(sorted({family.source for family in FAMILIES.values()}))
    return f"They are at {places}"


def _width(state: dict[str, Tensor]) -> int | None:
    """Channels of what attn2 reads: 384 from whisper-tiny."""
    found = next((v for k, v in state.items() if k.endswith("transformer_blocks.0.attn2.to_k.weight")), None)
    return found.shape[1] if found is not None and found.ndim == 2 else None


def _hallo(main: Path, state: dict[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    own = any(".attn2_1." in key for key in state)
    second = "hallo2" in "/".join(main.parts[-2:]).lower()  # the same keys and shapes as the first
    name = ("hallo2" if second else "hallo") if own else "joyhallo"
    tensors = animatediff_motion_modules(rename(state, HALLO_PARTS), str(main))
    for key in [key for key in tensors if re.search(r"\.zero_conv_\w+\.weight$", key)]:
        if tensors[key].ndim == 4:  # a 1x1 convolution is a linear layer on tokens
            tensors[key] = tensors[key].flatten(1)
    return name, tensors


def _echomimic(main: Path, state: dict[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    variant = main.stem.removeprefix(MAIN)
    pose = "_pose" if "_pose" in variant else ""
    locator = _beside(main, "face_locator" + pose)
    tensors = _named(
        backbone=_backbone(state | _beside(main, "motion_module" + variant), AUDIO, main),
        reference_net=_beside(main, "reference_unet" + pose),
        face_locator=locator,
    )
    return f"echomimic{pose}{'_acc' if '_acc' in variant else ''}", tensors


def _v_express(main: Path, state: dict[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    audio = _beside(main, "audio_projection")
    if "latents" in audio:
        audio["latents.weight"] = audio.pop("latents").squeeze(0)
    tensors = _named(
        backbone=_backbone(state | _beside(main, "motion_module"), REFERENCE + AUDIO, main),
        reference_net=_beside(main, "reference_net"),
        face_locator=_beside(main, "v_kps_guider"),
        audio_projection=audio,
    )
    return "v_express", tensors


def _backbone(state: dict[str, Tensor], rules: Rules, main: Path) -> dict[str, Tensor]:
    return animatediff_motion_modules(rename(state, rules), str(main))


def _named(**parts: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{part}.{key}": value for part, state in parts.items() for key, value in state.items()}


def _beside(main: Path, stem: str) -> dict[str, Tensor]:
    places = (main.with_name(stem + suffix) for suffix in (main.suffix, *SUFFIXES))
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"{main.with_name(stem + main.suffix)}: nothing there; {main.name} needs {stem}{main.suffix} "
            "beside it, of the same release"
        )
    return read_weights(found, EXPECTED)
