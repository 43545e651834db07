"""Names in the nodes' lists, and the files they stand for."""

from pathlib import Path

import folder_paths

from ...emo_modules.checkpoints.released import is_companion, is_released
from ...emo_modules.checkpoints.store import DEMO_CHECKPOINT

FOLDER = "emo"
AUDIO_FOLDER = "audio_encoders"
LORA_FOLDER = "loras"
DEMO = "demo (built in)"
EXAMPLES = Path(__file__).parents[2] / "samples"
# what a downloaded release also holds: speech encoders, VAE, AnimateDiff, super-resolution
OTHER_NETWORKS = (
    "whisper",
    "wav2vec",
    "diffusion_pytorch_model",
    "pytorch_model",
    "vae-ft-mse",
    "mm_sd",
    "net_g",
)


def register_folder() -> None:
    """Adds models/emo behind whatever extra_model_paths.yaml has named, and sees to the file extensions."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))
    paths, _ = folder_paths.folder_names_and_paths[FOLDER]
    folder_paths.folder_names_and_paths[FOLDER] = (paths, set(folder_paths.supported_pt_extensions))


def checkpoint_names() -> list[str]:
    return [DEMO, *_checkpoints()]


def _checkpoints() -> list[str]:
    """One name for each checkpoint of models/emo, without the other files of a released set."""
    return [
        name
        for name in folder_paths.get_filename_list(FOLDER)
        if not is_companion(name) and not Path(name).stem.startswith(OTHER_NETWORKS)
    ]


def checkpoint_path(name: str) -> Path:
    """Raises FileNotFoundError when the file has gone since the list was made."""
    return DEMO_CHECKPOINT if name == DEMO else Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def audio_encoder_names() -> list[str]:
    """Released sets come without an encoder inside."""
    inside = [f"{FOLDER}/{name}" for name in _checkpoints() if not is_released(Path(name))]
    return [DEMO, *inside, *folder_paths.get_filename_list(AUDIO_FOLDER)]


def lora_names() -> list[str]:
    return list(folder_paths.get_filename_list(LORA_FOLDER))


def lora_path(name: str) -> Path:
    return Path(folder_paths.get_full_path_or_raise(LORA_FOLDER, name))


def audio_encoder_path(name: str) -> Path:
    return Path(folder_paths.get_full_path_or_raise(AUDIO_FOLDER, name))
