"""V-Express, run with its own code.

Five released files, loaded by the loading functions of its inference.py: reference_net.bin,
denoising_unet.bin, motion_module.bin (loaded second, it overrides the motion modules of the first),
v_kps_guider.bin and audio_projection.bin. Source: inference.py of tencent-ailab/V-Express.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.serialization import config as serialization

from benchmarks.originals.common import (
    SD15_UNET,
    Job,
    Loaded,
    Scene,
    base_inputs,
    fill_trivial,
    fix_noise,
    load_vae,
    main,
    smooth_picture,
    use_checkout,
)

VARIANTS = ("v_express",)
SETTINGS = "inference_v2.yaml"
FILES = (
    "reference_net.bin",
    "denoising_unet.bin",
    "motion_module.bin",
    "v_kps_guider.bin",
    "audio_projection.bin",
)

# What inference.py imports besides its networks: face analysis, audio files and the training data set.
MISSING = {
    "datasets": (),
    "datasets.utils": ("draw_kps_image",),
    "insightface": (),
    "insightface.app": ("FaceAnalysis",),
    "torchaudio": (),
    "torchaudio.functional": (),
}

# The widths that inference.py gives the audio projection: wav2vec2's, the UNet's, and windows of 5 frames.
AUDIO_SIZES = {"inp_dim": 768, "mid_dim": 768, "out_dim": 768, "inp_seq_len": 10, "out_seq_len": 5}

# Defaults of inference.py's command line.
REFERENCE_WEIGHT = 0.95
AUDIO_WEIGHT = 3.0


def write_weights(original: Path, variant: str, folder: Path, seed: int) -> None:
    """Writes the five files (float32, 11 GB): random weights in the released layout.

    The motion modules differ between denoising_unet.bin and motion_module.bin, so that the order shows.
    """
    inference = _inference(original)
    torch.manual_seed(seed)
    for file, build in _builders(inference, original).items():
        state = fill_trivial(build(), seed).state_dict()
        if file == "v_kps_guider.bin":
            _strengthen(state)
        torch.save(state, folder / file)
        if file == "denoising_unet.bin":
            torch.save(_motion_state(state), folder / "motion_module.bin")


def make_inputs(variant: str, scene: Scene, image: bool) -> dict[str, Tensor]:
    """Random inputs of a scene: besides the common ones audio (F, 10, 768), the wav2vec2 features around
    each frame, and region (F, 3, H, W) in 0..1, a keypoint picture for each frame."""
    inputs, draw = base_inputs(scene, image)
    inputs["audio"] = torch.randn(scene["frames"], 10, 768, generator=draw)
    inputs["region"] = smooth_picture(draw, scene["frames"], 3, scene["height"], scene["width"])
    return inputs


def load(job: Job) -> Loaded:
    """The original's pipeline with the five files of job.weights.

    As inference.py leaves them: the networks in training mode, which changes nothing since they have no
    dropout and gradient checkpointing is off.
    """
    inference = _inference(job.original)
    # Without it a state dict is a second copy of its network while it is loaded; the values are the same.
    serialization.load.mmap = True
    networks = _networks(inference, job)
    pipeline = inference.VExpressPipeline(
        vae=load_vae(job, job.inputs["portrait"]),
        audio_processor=_no_waveform,
        audio_encoder=_silence,
        scheduler=inference.get_scheduler(str(job.original / SETTINGS)),
        **networks,
    )
    fix_noise(pipeline, job.inputs["noise"].cpu())  # where its own is drawn
    # The pipeline cuts the silence into windows; the given ones take their place in front of the projection.
    pipeline.audio_projection.register_forward_pre_hook(lambda *_: (job.inputs["audio"],))
    return Loaded(
        pipeline.scheduler,
        pipeline.denoising_unet,
        pipeline.vae,
        [*networks.values(), pipeline.vae],
        lambda: _clip(job, pipeline),
        sum(len(network.state_dict()) for network in networks.values()),
    )


def _inference(original: Path) -> ModuleType:
    """inference.py of the checkout as a module."""
    use_checkout(original, *MISSING)
    for module, names in MISSING.items():
        for name in names:
            setattr(sys.modules[module], name, None)
    return import_module("inference")


def _config_file(folder: str) -> str:
    """The path of a new SD1.5 unet/config.json, the only thing of SD1.5's UNet that V-Express reads."""
    path = Path(folder, "config.json")
    path.write_text(json.dumps(SD15_UNET))
    return str(path)


def _builders(inference: ModuleType, original: Path) -> dict[str, Callable[[], nn.Module]]:
    """Makers of the networks by file, with the sizes that inference.py's loading functions give them."""
    settings = inference.OmegaConf.load(original / SETTINGS).unet_additional_kwargs
    return {
        "reference_net.bin": lambda: inference.UNet2DConditionModel.from_config(SD15_UNET),
        "denoising_unet.bin": lambda: _denoiser(inference, settings),
        "v_kps_guider.bin": lambda: inference.VKpsGuider(320, block_out_channels=(16, 32, 96, 256)),
        "audio_projection.bin": lambda: inference.AudioProjection(
            dim=768, depth=4, dim_head=64, heads=12, num_queries=5, output_dim=768, max_seq_len=10
        ),
    }


def _denoiser(inference: ModuleType, settings: object) -> nn.Module:
    with tempfile.TemporaryDirectory() as folder:
        return inference.UNet3DConditionModel.from_config_2d(
            _config_file(folder), unet_additional_kwargs=settings
        )


def _motion_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The motion modules' tensors with every value moved on by one; the position tables as they are."""
    motion = {name: value for name, value in state.items() if "motion_module" in name}
    return {name: value if name.endswith(".pe") else _shifted(value) for name, value in motion.items()}


def _strengthen(state: dict[str, Tensor]) -> None:
    """Scales the guider's kernels so that its eight convolutions keep the size of what passes through.

    With the default initialisation each layer takes about two thirds of it away, and a change of the
    keypoints would move the result by 4e-5, less than an error that matters.
    """
    for value in state.values():
        if value.ndim > 1:
            value.mul_(3)


def _shifted(value: Tensor) -> Tensor:
    return value.flatten().roll(1).reshape(value.shape)


def _networks(inference: ModuleType, job: Job) -> dict[str, nn.Module]:
    """The four networks by the names the pipeline has for them."""
    reference, denoiser, motion, kps, audio = (job.weights / file for file in FILES)
    kind = {"dtype": job.dtype, "device": torch.device(job.device)}
    settings = str(job.original / SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        config = _config_file(folder)
        return {
            "reference_net": inference.load_reference_net(config, reference, **kind),
            "denoising_unet": inference.load_denoising_unet(settings, config, denoiser, motion, **kind),
            "v_kps_guider": inference.load_v_kps_guider(kps, **kind),
            "audio_projection": inference.load_audio_projection(audio, **kind, **AUDIO_SIZES),
        }


def _no_waveform(*_: object, **__: object) -> dict[str, Tensor]:
    return {"input_values": torch.zeros(1, 1)}


def _silence(waveform: Tensor) -> SimpleNamespace:
    """What wav2vec2 returns, one feature of zeros; the pipeline stretches it to two for each frame."""
    return SimpleNamespace(last_hidden_state=torch.zeros(len(waveform), 1, 768))


def _clip(job: Job, pipeline: Any) -> Tensor:
    inputs, scene = job.inputs, job.scene
    return pipeline(
        reference_image=_portrait(job),
        kps_images=list(inputs["region"].split(1)),
        audio_waveform=None,
        width=scene["width"],
        height=scene["height"],
        video_length=scene["frames"],
        num_inference_steps=scene["steps"],
        guidance_scale=scene["cfg"],
        context_frames=scene["context_frames"],
        context_overlap=scene["context_overlap"],
        reference_attention_weight=REFERENCE_WEIGHT,
        audio_attention_weight=AUDIO_WEIGHT,
    )


def _portrait(job: Job) -> Tensor:
    """The picture (3, H, W) in 0..1, which the pipeline brings to -1..1; a stub VAE ignores what it shows."""
    blank = torch.zeros(3, job.scene["height"], job.scene["width"])
    return (job.inputs.get("image", blank) + 1) / 2


if __name__ == "__main__":
    main(VARIANTS, write_weights, make_inputs, load)
