"""EMO's open relatives at a few channels: random weights, the files a release would keep them in, what they
are fed with."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.cues.face import Box
from emo_modules.families.table import RELEASES, face_cues, family_of
from emo_modules.models.conditions import Conditions
from emo_modules.models.emo import EMO
from emo_modules.models.relatives.regions import Regions
from emo_modules.speech.whisper import WHISPER_TINY
from emo_modules.weights import wav2vec2, whisper

Rules = list[tuple[str, str]]
Files = dict[str, dict[str, Tensor]]

RELEASED = dict(RELEASES)
NAMES = sorted(RELEASED)
FACE = Box(12, 10, 52, 56)
SHAPE: dict[str, Any] = {
    "block_out_channels": (16, 16, 32, 32),
    "layers_per_block": 1,
    "heads": 2,
    "norm_groups": 8,
}
WIDTH = 24  # of audio and identity tokens; EchoMimic's are told apart by their 384 channels
WAV2VEC2 = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 8, 8],
    "conv_stride": [5, 8, 8],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "num_feat_extract_layers": 3,
}
WHISPER = WHISPER_TINY | {
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "max_source_positions": 50,
}


def small(family: str, **changes: Any) -> EMOConfig:
    """The family's configuration with little of everything, 64 x 64 pixels and two steps."""
    config = RELEASED[family].config
    backbone, reference_net, audio = config.backbone, config.reference_net, config.audio
    if config.family == "echomimic":
        audio = replace(audio, encoder=WHISPER, layers=2)
    else:
        read = replace(backbone.quirks, context_dim=backbone.quirks.context_dim and WIDTH)
        backbone = replace(backbone, audio_dim=WIDTH, quirks=read)
        written = replace(reference_net.quirks, context_dim=WIDTH)
        reference_net = replace(reference_net, quirks=written)
        layers = min(audio.layers, WAV2VEC2["num_hidden_layers"])
        audio = replace(audio, encoder=WAV2VEC2, layers=layers, feature_dim=16, hidden_dim=16, tokens=3)
    shrunk = replace(
        config,
        width=64,
        height=64,
        vae=config.vae | {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4},
        backbone=replace(backbone, **SHAPE),
        reference_net=replace(reference_net, **SHAPE),
        audio=audio,
        face_locator_channels=(4, 8, 8, 8),
        schedule=replace(config.schedule, steps=2),
    )
    return replace(shrunk, **changes)


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of these sizes are read as the released ones are."""
    for name, family in RELEASED.items():
        monkeypatch.setitem(RELEASES, name, replace(family, config=small(name)))
    monkeypatch.setitem(wav2vec2.SIZES, WAV2VEC2["hidden_size"], WAV2VEC2)
    monkeypatch.setitem(whisper.SIZES, WHISPER["d_model"], WHISPER)


def random_emo(config: EMOConfig) -> EMO:
    """No layer that starts at zero hides what stands before it. Always the same object: leave it as it is."""
    return _random_emo(config.to_json())


@cache
def _random_emo(text: str) -> EMO:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = EMO(EMOConfig.from_json(text)).eval()
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def copied(model: EMO) -> EMO:
    """With torch's own layers: a loaded model has others where it runs on a CPU, which round otherwise."""
    copy = EMO(model.config).eval()
    copy.load_state_dict(model.state_dict())
    return copy


# The files of a release, by name. Names and keys are those of the originals' own loading code.

MOTION: Rules = [
    (r"(\.motion_modules\.\d+)\.", r"\1.temporal_transformer."),
    (r"\.attn([12])\.", lambda found: f".attention_blocks.{int(found[1]) - 1}."),
    (r"\.norm([12])\.", lambda found: f".norms.{int(found[1]) - 1}."),
    (r"\.norm3\.", ".ff_norm."),
]
SPATIAL: Rules = [
    (r"\.attn_audio\.", ".attn2."),
    (r"\.norm_audio\.", ".norm2."),
    (r"\.attn_ref\.", ".attn1_5."),
    (r"\.norm_ref\.", ".norm1_5."),
]
HALLO: Rules = [
    (r"^reference_net\.identity_projection\.", "imageproj."),
    (r"^reference_net\.", "reference_unet."),
    (r"^backbone\.", "denoising_unet."),
    (r"^audio_projection\.", "audioproj."),
]


def release(family: str, state: dict[str, Tensor]) -> Files:
    """The files of a release, the one to name first."""
    if family == "v_express":
        return _v_express(state)
    if family.startswith("echomimic"):
        return _echomimic(state, family.removeprefix("echomimic"))
    return {"net.pth": _hallo(state)}


def write(files: Files, folder: Path) -> Path:
    """Returns the file to name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in files.items():
        copies = {key: value.clone() for key, value in state.items()}
        (save_file if name.endswith(".safetensors") else torch.save)(copies, folder / name)
    return folder / next(iter(files))


def write_release(family: str, folder: Path) -> Path:
    return write(release(family, random_emo(small(family)).state_dict()), folder)


def _hallo(state: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for key, value in _with_motion(state).items():
        convolution = ".zero_conv_" in key and key.endswith(".weight")
        found[_renamed(key, HALLO)] = value[:, :, None, None] if convolution else value
    for place in ("down_blocks.3", "up_blocks.0"):  # without attention, never run
        module = f"denoising_unet.{place}.motion_modules.0.temporal_transformer."
        found[module + "proj_in.weight"] = torch.randn(32, 32)
        found[module + "transformer_blocks.0.attention_blocks.0.pos_encoder.pe"] = positions(32)
    return found


def _echomimic(state: dict[str, Tensor], variant: str) -> Files:
    pose = "_pose" if "_pose" in variant else ""
    backbone = _with_motion(_part(state, "backbone"))
    return {
        f"denoising_unet{variant}.pth": _without_motion(backbone),
        f"motion_module{variant}.pth": {k: v for k, v in backbone.items() if ".motion_modules." in k},
        f"reference_unet{pose}.pth": _part(state, "reference_net"),
        f"face_locator{pose}.pth": _part(state, "face_locator"),
    }


def _v_express(state: dict[str, Tensor]) -> Files:
    backbone = _with_motion(_part(state, "backbone"))
    motion = {k: v for k, v in backbone.items() if ".motion_modules." in k}
    audio = _part(state, "audio_projection")
    audio["latents"] = audio.pop("latents.weight")[None]
    unread = {"conv_norm_out.weight": torch.ones(16), "conv_out.weight": torch.zeros(4, 16, 3, 3)}
    return {
        # its temporal modules are older ones, which motion_module replaces
        "denoising_unet.bin": _without_motion(backbone) | {k: v + 1 for k, v in _no_tables(motion).items()},
        "motion_module.bin": motion,
        "reference_net.bin": _part(state, "reference_net") | unread,
        "v_kps_guider.bin": _part(state, "face_locator"),
        "audio_projection.bin": audio,
    }


def _with_motion(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """AnimateDiff's names, with the position tables that it keeps."""
    found = {_renamed(k, MOTION) if ".motion_modules." in k else k: v for k, v in state.items()}
    for key in [key for key in found if re.search(r"\.attention_blocks\.\d\.to_q\.weight$", key)]:
        found[key.replace("to_q.weight", "pos_encoder.pe")] = positions(len(found[key]))
    return found


def _without_motion(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {_renamed(k, SPATIAL): v for k, v in state.items() if ".motion_modules." not in k}


def _no_tables(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if not k.endswith(".pe")}


def _part(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}


def _renamed(key: str, rules: Rules) -> str:
    for pattern, name in rules:
        key = re.sub(pattern, name, key)
    return key


def positions(channels: int) -> Tensor:
    """(1, 32, channels) AnimateDiff's table: sine and cosine in turn."""
    frequencies = 10000.0 ** (-torch.arange(0, channels, 2) / channels)
    angles = torch.arange(32)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]


def write_vae(config: EMOConfig, path: Path) -> Path:
    return _write_part(lambda: build_vae(config).state_dict(), path)


def write_encoder(config: EMOConfig, path: Path) -> Path:
    """Keyed as transformers keys a whole model; numbers that half precision would round."""
    return _write_part(lambda: family_of(config).hearing.build(config.audio).state_dict(), path)


def _write_part(make: Callable[[], dict[str, Tensor]], path: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        save_file({key: value.contiguous() for key, value in make().items()}, path)
    return path


# What a model is fed with.


@dataclass(frozen=True)
class Scene:
    """One clip's inputs, random."""

    portrait: Tensor
    picture: Tensor | None
    identity: Tensor | None
    regions: dict[int, Regions] | None
    audio: Tensor
    motion: Tensor | None
    pictures: Tensor | None
    noise: Tensor
    speeds: Tensor | None = None

    @classmethod
    def random(cls, config: EMOConfig, frames: int = 3, size: tuple[int, int] = (8, 8)) -> "Scene":
        generator = torch.Generator().manual_seed(5)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator)

        height, width = 8 * size[0], 8 * size[1]
        picture, regions = face_cues(config, FACE, height, width)
        audio = config.audio
        return cls(
            portrait=draw(1, 4, *size),
            picture=picture,
            identity=draw(1, config.quirks.identity.embedding_dim) if config.quirks.identity else None,
            regions=regions,
            audio=draw(1, frames, config.window_rows, audio.layers, audio.feature_dim),
            motion=draw(1, config.motion_frames, 4, *size) if config.motion_frames else None,
            pictures=draw(frames, 3, height, width).sigmoid() if config.quirks.locator_pictures else None,
            noise=draw(frames, 4, *size),
            speeds=torch.full((1, frames), 10.0) if config.backbone.speed_dim else None,
        )

    def conditions(self, model: EMO) -> Conditions:
        conditioner = model.conditioner()
        video = conditioner.video(self.portrait, self.picture, self.identity, self.regions)
        frames = len(self.noise)
        return conditioner.clip(video, frames, self.audio, self.speeds, self.pictures, motion=self.motion)

    def predict(self, model: EMO, conditions: Conditions | None = None) -> Tensor:
        times = torch.full((len(self.noise),), 400)
        return model.predict(self.noise, times, conditions or self.conditions(model))
