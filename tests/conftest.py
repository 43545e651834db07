"""A tiny EMO with every part, what it is made into and fed with, and the command that runs it."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from PIL import Image

from emo_modules.checkpoints.store import DEMO_CHECKPOINT, read_checkpoint, save_checkpoint
from emo_modules.checkpoints.vae import build_vae
from emo_modules.cli import main
from emo_modules.config import AudioConfig, EMOConfig, ScheduleConfig, SpeedConfig, UNetConfig
from emo_modules.models.emo import EMO
from emo_modules.pipeline import Pipeline
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_training.training.sample_set import SampleSet

SHAPE = {
    "block_out_channels": (16, 32),
    "attention_levels": (True, False),
    "layers_per_block": 1,
    "heads": 2,
    "norm_groups": 8,
}
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
AUDIO = AudioConfig(encoder=WAV2VEC2, layers=2, feature_dim=16, context=1, hidden_dim=16, tokens=3)
CLIP_FRAMES = 8


def pytest_configure() -> None:
    """One thread, here and in the processes that tests start, unless OMP_NUM_THREADS says otherwise.

    The tests' networks are so small that more threads only wait for each other: on busy processors ten
    times as long as the work takes.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(autouse=True)
def own_clips(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test takes finished clips of another one, or of who runs the tests."""
    monkeypatch.setenv("EMO_CLIPS", str(tmp_path_factory.getbasetemp() / "clips" / secrets.token_hex(8)))


@pytest.fixture
def any_precision() -> Iterator[None]:
    """Accelerate holds a process to the first one."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


@pytest.fixture(autouse=True, scope="module")
def all_threads() -> Iterator[None]:
    """The threads that a module's tests leave to torch are not what the next module runs with."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_config() -> EMOConfig:
    """The demo's structure: v prediction with zero terminal SNR, frames that share noise."""
    return EMOConfig(
        name="tiny",
        width=64,
        height=64,
        latent_scale=1.0,
        clip_frames=4,
        motion_frames=2,
        vae={"_class_name": "PatchVAE", "latent_channels": 4, "widths": [8, 8, 8]},
        backbone=UNetConfig(audio_dim=12, speed_dim=8, **SHAPE),
        reference_net=UNetConfig("writes", **SHAPE),
        audio=AUDIO,
        speed=SpeedConfig(hidden_dim=8),
        face_locator_channels=(4, 8, 8, 8),
        schedule=ScheduleConfig("v_prediction", zero_terminal_snr=True, shared_noise=0.5, steps=2, cfg=1.5),
    )


@pytest.fixture(scope="session")
def moving_config(tiny_config) -> EMOConfig:
    """A tiny model that moves the portrait, 2 x 2 latents to a place."""
    return replace(
        tiny_config,
        moving=True,
        width=64,
        height=64,
        latent_channels=6,
        vae={"_class_name": "PatchVAE", "latent_channels": 6, "widths": [8, 8, 8], "linear": True},
        backbone=replace(tiny_config.backbone, patch=2),
        reference_net=replace(tiny_config.reference_net, patch=2),
    )


@pytest.fixture(scope="session")
def demo_config() -> EMOConfig:
    """The built-in model's, as its file holds it."""
    return read_checkpoint(DEMO_CHECKPOINT).config


@pytest.fixture(scope="session")
def paper_config() -> EMOConfig:
    """The paper's preset (four levels, 4 latent channels, AutoencoderKL, epsilon) at small width, 3:4."""
    paper = EMOConfig.sd15()
    shape = {"block_out_channels": (16, 16, 32, 32), "heads": 2, "norm_groups": 8}
    small_vae = {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4}
    return replace(
        paper,
        width=64,
        height=96,
        vae=paper.vae | small_vae,
        backbone=replace(paper.backbone, audio_dim=12, speed_dim=8, **shape),
        reference_net=replace(paper.reference_net, **shape),
        audio=AUDIO,
        speed=SpeedConfig(hidden_dim=8),
        face_locator_channels=(4, 8, 8, 8),
    )


@pytest.fixture(scope="session")
def make_pipeline() -> Callable[[EMOConfig], Pipeline]:
    """Random weights, so that no zero-initialised layer hides what stands before it; the same every time."""

    def make(config: EMOConfig) -> Pipeline:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            encoder = AudioEncoder(config.audio.encoder, config.audio.normalize)
            pipeline = Pipeline(EMO(config).conditioner(), build_vae(config).eval(), encoder.eval())
            for parameter in pipeline.model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))
        return pipeline

    return make


@pytest.fixture(scope="session")
def tiny_pipeline(make_pipeline, tiny_config) -> Pipeline:
    return make_pipeline(tiny_config)


@pytest.fixture(scope="session")
def save_pipeline() -> Callable[[Pipeline, Path], Path]:
    def save(pipeline: Pipeline, path: Path) -> Path:
        parts = {"vae": pipeline.vae, "audio_encoder": pipeline.audio_encoder}
        return save_checkpoint(path, pipeline.config, dict(pipeline.model.named_children()) | parts)[0]

    return save


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory, tiny_pipeline, save_pipeline) -> Path:
    return save_pipeline(tiny_pipeline, tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture(scope="session")
def samples() -> SampleSet:
    """Three samples of 8 random frames, 64 x 64 pixels; faces stand in the middle."""
    generator = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(3, *shape, generator=generator)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(3, *shape, generator=generator)

    edges = torch.tensor([0.2, 0.2, 0.7, 0.7])
    return SampleSet(
        latents=randn(CLIP_FRAMES, 4, 8, 8),
        portraits=randn(2, 4, 8, 8),
        audio=randn(CLIP_FRAMES + 2 * AUDIO.context, AUDIO.layers, AUDIO.feature_dim),
        boxes=edges + 0.1 * rand(CLIP_FRAMES, 4),
        speeds=40 * rand(CLIP_FRAMES),
    )


@pytest.fixture(scope="session")
def portrait() -> torch.Tensor:
    """A smooth picture (70, 84, 3) without a face in it."""
    noise = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(noise, (70, 84), mode="bilinear")[0].permute(1, 2, 0)


@pytest.fixture(scope="session")
def tones() -> Callable[..., torch.Tensor]:
    """Mixed tones (channels, samples) that swell at the pace of speech."""

    def make(seconds: float, rate: int, channels: int = 1) -> torch.Tensor:
        time = torch.arange(round(seconds * rate)) / rate
        swell = 0.5 + 0.5 * torch.sin(2 * torch.pi * 4 * time)
        pitches = torch.arange(1, channels + 1)[:, None] * torch.tensor([110.0])
        return 0.3 * swell * sum(torch.sin(2 * torch.pi * k * pitches * time) / k for k in (1, 2, 3))

    return make


@pytest.fixture
def animate(tmp_path, tiny_checkpoint, capsys) -> Callable[..., tuple[int, Path, str]]:
    """The command: exit status, the video's path and what was written to standard error."""

    def run(picture: Path, sound: Path, *options: str | Path, checkpoint: Path | None = None):
        output = tmp_path / "out" / "video.mp4"
        given = [picture, sound, "-o", output, "--checkpoint", checkpoint or tiny_checkpoint, *options]
        status = main(["animate", *map(str, given)])
        return status, output, capsys.readouterr().err

    return run


@pytest.fixture
def picture_file(tmp_path, portrait) -> Path:
    path = tmp_path / "portrait.png"
    Image.fromarray((portrait.numpy() * 255).astype("uint8")).save(path)
    return path


@pytest.fixture
def sound_file(tmp_path, tones) -> Callable[..., Path]:
    """Writes a WAV file: tones, or the given waveform (channels, samples)."""

    def write(
        seconds: float = 0.1, rate: int = 16000, channels: int = 1, waveform: torch.Tensor | None = None
    ):
        path = tmp_path / "sound.wav"
        samples = tones(seconds, rate, channels) if waveform is None else waveform
        soundfile.write(path, samples.T.numpy(), rate, subtype="FLOAT")
        return path

    return write
