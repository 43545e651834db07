"""Whatever comes over a wire or stands in a prompt: it works, or one sentence of the pack says why not.

EMO_FUZZ_SEED and EMO_FUZZ_CASES draw other cases, or more; EMO_FUZZ_ONLY=NUMBER makes one alone. `pytest -s`
shows the outcomes and the slowest cases.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emo_modules.config import EMOConfig
from emo_modules.families.table import family_of

from .fuzz_judge import SOURCE, Outcome, Source, Touched, call
from .fuzz_objects import OF_OTHERS, small_vae
from .fuzzing import Case, World, draw_case, outputs_of
from .in_process import Pack
from .releases import random_emo, small

SEED = int(os.environ.get("EMO_FUZZ_SEED", "0"))
CASES = int(os.environ.get("EMO_FUZZ_CASES", "400"))
BLOCKS = 8
MAX_SECONDS = 10  # of the processor's time: 3 alone, three times that among others
RELATIVES = ["hallo", "echomimic", "echomimic_pose", "v_express"]
EMO = "tiny.safetensors"
SAMPLES = 3200  # of the example's speech: 0.2 s
CROP = {"crop_width": 64, "crop_height": 64}
WHISPER = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}


def tiny_relative(family: str, ear: dict[str, Any]) -> EMOConfig:
    """A relative with short windows and a speech encoder of few channels, too."""
    config = small(family)
    audio, backbone = replace(config.audio, encoder=ear, feature_dim=16), config.backbone
    if config.family == "hallo":
        audio = replace(audio, layers=2)
    if config.family == "echomimic":
        audio = replace(audio, encoder=WHISPER, layers=3)
        backbone = replace(backbone, audio_dim=16)
    windows = config.quirks.windows and replace(config.quirks.windows, frames=4, overlap=1)
    quirks = replace(config.quirks, windows=windows)
    return replace(config, audio=audio, backbone=backbone, clip_frames=4, quirks=quirks)


@pytest.fixture(scope="module")
def checkpoints(
    comfy: Any, tiny_pipeline: Any, tiny_config: EMOConfig, save_pipeline: Callable[..., Path]
) -> list[str]:
    """Names in the nodes' lists: EMO with everything in one file, relatives without a VAE."""
    import folder_paths

    from emo_modules.checkpoints.store import save_checkpoint

    folder = Path(folder_paths.models_dir) / "emo"
    save_pipeline(tiny_pipeline, folder / EMO)
    for family in RELATIVES:
        config = tiny_relative(family, tiny_config.audio.encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoder = family_of(config).hearing.build(config.audio)
        parts = dict(random_emo(config).named_children()) | {"audio_encoder": encoder}
        save_checkpoint(folder / f"tiny_{family}.safetensors", config, parts)
    return [EMO, *(f"tiny_{family}.safetensors" for family in RELATIVES)]


@pytest.fixture(scope="module")
def world(pack: Pack, checkpoints: list[str]) -> Iterator[World]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pack.nodes.NODE_CLASS_MAPPINGS[SOURCE] = Source
    node_ids = ids_of(pack)
    yield World(pack, node_ids, [valid_objects(pack, node_ids, name) for name in checkpoints])
    del pack.nodes.NODE_CLASS_MAPPINGS[SOURCE]
    torch.set_num_threads(threads)


def ids_of(pack: Pack) -> list[str]:
    mappings = pack.nodes.NODE_CLASS_MAPPINGS
    package = mappings["EMOSampler"].__module__.removesuffix(".nodes.sampler")
    return [name for name, node in mappings.items() if node.__module__.startswith(package)]


def valid_objects(pack: Pack, node_ids: list[str], checkpoint: str) -> dict[str, list[Any]]:
    """By io type; the sound is short, and the picture small enough for tiny models."""
    image, audio, _ = pack.run("EMOExample")
    image = image[:, ::2, ::2]
    audio = audio | {"waveform": audio["waveform"][..., :SAMPLES]}
    start = {"IMAGE": [image], "AUDIO": [audio]} | OF_OTHERS
    if checkpoint != EMO:
        start["VAE"] = [small_vae(4)]
    fixed = CROP | {"images": image, "audio": audio, "landmark_pictures": image}
    fixed |= {"checkpoint": checkpoint, "audio_encoder_name": f"emo/{checkpoint}"}
    found = outputs_of(pack, node_ids, start, fixed)
    (encoder,) = found["AUDIO_ENCODER"]
    if "echomimic" not in checkpoint:  # whisper's features do not stand for core's times
        found["AUDIO_ENCODER_OUTPUT"] = [encoder.encode_audio(audio["waveform"], audio["sample_rate"])]
    found["AUDIO"] = [sound for sound in found["AUDIO"] if sound["waveform"].shape[-1] <= 2 * SAMPLES]
    return found


@pytest.fixture(scope="module")
def touched(world: World, tmp_path_factory: pytest.TempPathFactory) -> Touched:
    import folder_paths

    clips = tmp_path_factory.getbasetemp() / "clips"  # of conftest's `own_clips`
    return Touched(
        [Path(folder_paths.get_output_directory()), Path(folder_paths.get_temp_directory()), clips]
    )


@dataclass
class Tally:
    """What came of all cases."""

    outcomes: list[tuple[Case, Outcome]] = field(default_factory=list)

    def __str__(self) -> str:
        counted = Counter(outcome.kind for _, outcome in self.outcomes)
        slowest = sorted(self.outcomes, key=lambda entry: entry[1].seconds, reverse=True)[:5]
        lines = [f"{outcome.seconds:.2f} s {outcome.kind}: {case}" for case, outcome in slowest]
        return "\n".join([f"seed {SEED}, {len(self.outcomes)} cases: {dict(counted)}", *lines])


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    found = Tally()
    yield found
    print(f"\n{found}", file=sys.stderr)


def numbers_of(block: int) -> list[int]:
    if only := os.environ.get("EMO_FUZZ_ONLY"):
        return [int(only)] if block == 0 else []
    return list(range(block, CASES, BLOCKS))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_only_the_packs_own_sentences_come_out(
    world: World, touched: Touched, tally: Tally, block: int
) -> None:
    found = []
    for number in numbers_of(block):
        case = draw_case(world, SEED, number)
        found.append((case, call(world, case, touched)))
    tally.outcomes += found
    wrong = [f"{case}\n    {outcome.text}" for case, outcome in found if outcome.kind == "wrong"]
    slow = [f"{case}\n    {o.seconds:.1f} s" for case, o in found if o.seconds > MAX_SECONDS]
    if wrong or slow:
        pytest.fail("\n".join(wrong + slow), pytrace=False)
