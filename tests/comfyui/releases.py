"""Small random weights: of the built-in model's structure, and of EMO's relatives in files named and keyed as
the releases are."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.families.table import RELEASES
from emo_modules.media.image import load_image
from emo_modules.models.emo import EMO
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_modules.speech.whisper import WHISPER_TINY, WhisperEncoder
from emo_people.recipe.config import BUILT_IN

PATCH = Path(__file__).with_name("small_families.py")
PORTRAIT = Path(__file__).parents[2] / "samples" / "portrait.png"
SHAPE = {"block_out_channels": (16, 16, 32, 32), "heads": 2, "norm_groups": 8}
# our name of a part, and the file that each release keeps it in
ECHOMIMIC = {"backbone": "denoising_unet", "reference_net": "reference_unet", "face_locator": "face_locator"}
V_EXPRESS = {
    "backbone": "denoising_unet",
    "reference_net": "reference_net",
    "face_locator": "v_kps_guider",
    "audio_projection": "audio_projection",
}
HALLO = {
    r"^reference_net\.identity_projection\.": "imageproj.",
    r"^reference_net\.": "reference_unet.",
    r"^backbone\.": "denoising_unet.",
    r"^audio_projection\.": "audioproj.",
}
MOTION = [
    (r"(\.motion_modules\.\d+)\.", r"\1.temporal_transformer."),
    (r"\.attn1\.", ".attention_blocks.0."),
    (r"\.attn2\.", ".attention_blocks.1."),
    (r"\.norm1\.", ".norms.0."),
    (r"\.norm2\.", ".norms.1."),
    (r"\.norm3\.", ".ff_norm."),
]
ATTENTION = [(r"\.attn_audio\.", ".attn2."), (r"\.norm_audio\.", ".norm2.")]
ATTENTION += [(r"\.attn_ref\.", ".attn1_5."), (r"\.norm_ref\.", ".norm1_5.")]


def small(family: str, **changes: object) -> EMOConfig:
    """A relative of few channels and two steps; what its files are told apart by stays as released."""
    config = RELEASES[family].config
    backbone = replace(config.backbone, **SHAPE)
    if family == "v_express":
        backbone = replace(backbone, audio_dim=24)
    shown = replace(
        config,
        width=64,
        height=64,
        backbone=backbone,
        reference_net=replace(config.reference_net, **SHAPE),
        audio=replace(config.audio, hidden_dim=16, tokens=3),
        face_locator_channels=(4, 8, 8, 8),
        schedule=replace(config.schedule, steps=2),
    )
    return replace(shown, **changes)


def random_emo(config: EMOConfig) -> EMO:
    """No layer that starts at zero hides what stands before it; the same every time."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = EMO(config).eval()
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def small_built_in() -> EMOConfig:
    """The built-in model's structure at 128 x 128, of few channels."""
    shape = {"block_out_channels": (16, 16), "attention_levels": (True, True), "norm_groups": 8}
    vae = {"latent_channels": 8, "widths": [8, 8, 8], "depths": [1, 1, 1]}
    return replace(
        BUILT_IN,
        name="small",
        width=128,
        height=128,
        latent_channels=8,
        vae=BUILT_IN.vae | vae,
        backbone=replace(BUILT_IN.backbone, **shape),
        reference_net=replace(BUILT_IN.reference_net, **shape),
        audio=replace(BUILT_IN.audio, hidden_dim=16),
        schedule=replace(BUILT_IN.schedule, steps=2),
    )


def write_small(folder: Path, config: EMOConfig | None = None) -> Path:
    """Its checkpoint, with a VAE that is good enough to recognise the sample portrait."""
    config = config or small_built_in()
    model, vae = random_emo(config), build_vae(config).eval()
    picture = load_image(PORTRAIT).movedim(-1, 0)[None] * 2 - 1
    vae.start_from_components(picture)
    if config.moving:
        model.portrait_encoder.load_state_dict(vae.patch_in.state_dict())
    encoder = AudioEncoder(config.audio.encoder, config.audio.normalize).eval()
    parts = dict(model.named_children()) | {"vae": vae, "audio_encoder": encoder}
    folder.mkdir(parents=True, exist_ok=True)
    return save_checkpoint(folder / f"{config.name}.safetensors", config, parts)[0]


def write_release(family: str, folder: Path) -> Path:
    """The files of a release into a folder; returns the one to name."""
    folder.mkdir(parents=True, exist_ok=True)
    state = random_emo(small(family)).state_dict()
    if family.endswith(("hallo", "hallo2")):
        return _write_hallo(state, folder)
    if family == "v_express":
        return _write_v_express(state, folder)
    return _write_echomimic(state, folder, family.removeprefix("echomimic"))


def _write_hallo(state: dict[str, Tensor], folder: Path) -> Path:
    keyed = {}
    for key, value in _released_motion(state).items():
        name = _renamed(key, list(HALLO.items()))
        flat = re.search(r"\.zero_conv_\w+\.weight$", key)
        keyed[name] = value[..., None, None] if flat else value
    return _write(keyed, folder / "net.pth")


def _write_echomimic(state: dict[str, Tensor], folder: Path, variant: str) -> Path:
    pose = "_pose" if "_pose" in variant else ""
    motion = _released_motion({k: v for k, v in _part(state, "backbone").items() if ".motion_modules." in k})
    _write(motion, folder / f"motion_module{variant}.pth")
    for part, stem in ECHOMIMIC.items():
        kept = {k: v for k, v in _part(state, part).items() if ".motion_modules." not in k}
        suffix = variant if part == "backbone" else pose
        _write({_renamed(k, ATTENTION): v for k, v in kept.items()}, folder / f"{stem}{suffix}.pth")
    return folder / f"denoising_unet{variant}.pth"


def _write_v_express(state: dict[str, Tensor], folder: Path) -> Path:
    backbone = _released_motion(_part(state, "backbone"))
    _write({k: v for k, v in backbone.items() if ".motion_modules." in k}, folder / "motion_module.bin")
    for part, stem in V_EXPRESS.items():
        keyed = backbone if part == "backbone" else _part(state, part)
        if part == "audio_projection":
            keyed["latents"] = keyed.pop("latents.weight")[None]
        if part == "backbone":
            keyed = {k if ".motion_modules." in k else _renamed(k, ATTENTION): v for k, v in keyed.items()}
        _write(keyed, folder / f"{stem}.bin")
    return folder / "denoising_unet.bin"


def _part(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}


def _released_motion(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {_renamed(k, MOTION) if ".motion_modules." in k else k: v for k, v in state.items()}


def _renamed(key: str, rules: list[tuple[str, str]]) -> str:
    for pattern, name in rules:
        key = re.sub(pattern, name, key)
    return key


def _write(state: dict[str, Tensor], path: Path) -> Path:
    torch.save({key: value.clone() for key, value in state.items()}, path)
    return path


# what stands beside the weights


def write_whisper(path: Path) -> None:
    """Of whisper-tiny's size, keyed as transformers does, in a pickle with what OpenAI's holds."""
    state = WhisperEncoder(WHISPER_TINY).state_dict()
    torch.save({"dims": {}, "model_state_dict": {f"encoder.{k}": v.half() for k, v in state.items()}}, path)


def write_wav2vec2(path: Path) -> None:
    """Of wav2vec2-base's size."""
    save_file({k: v.half() for k, v in AudioEncoder({}, True).state_dict().items()}, path)


def write_vae(path: Path) -> None:
    """Of Stable Diffusion's size."""
    save_file({k: v.half() for k, v in build_vae(EMOConfig.sd15()).state_dict().items()}, path)


def install_small_families(base: Path) -> None:
    """The server under `base` takes files of `write_release` for what they are named after."""
    texts = {name: small(name).to_json() for name in RELEASES}
    (base / "families.json").write_text(json.dumps(texts), encoding="utf-8")
    (base / "custom_nodes").mkdir(exist_ok=True)
    shutil.copy(PATCH, base / "custom_nodes" / PATCH.name)
