"""Every configuration that can be made is one that runs, and the others say why not."""

import random
from dataclasses import replace
from typing import Any

import torch

from emo_modules.config import AudioConfig, EMOConfig, SpeedConfig, UNetConfig
from emo_modules.families.table import FAMILIES, family_of
from emo_modules.models.emo import EMO
from emo_modules.quirks import IdentityConfig, Quirks, UNetQuirks, WindowConfig

from ..relatives import Scene

FRAMES = 3


def unet(role: str, draw: random.Random) -> dict[str, Any]:
    """Fields of one UNet, each of which may be made; not all go together."""
    some = draw.choice
    reads = role == "reads" or draw.random() < 0.1
    quirks = UNetQuirks(
        reference_scale=some([1.0, 1.0, 0.9]),
        audio_scale=some([1.0, 1.0, 3.0]),
        audio_branches=some([0, 0, 1, 3]) if reads else 0,
        context_dim=some([None, None, 12]),
        temporal_without_attention=some([True, True, False]),
    )
    return {
        "role": role,
        "heads": some([2, 2, 4, 3]),
        "norm_groups": some([2, 4, 8]),
        "reference_positions": reads and some([True, False, False]),
        "audio_dim": some([12, 12, 16, None]) if reads else None,
        "speed_dim": some([None, 8]) if reads else None,
        "quirks": quirks,
    }


def random_config(seed: int) -> EMOConfig:
    """Raises ValueError for one that cannot be."""
    draw = random.Random(seed)
    some = draw.choice
    shape = {
        "block_out_channels": some([(16, 32), (12, 24), (8, 16, 16), (6,), (16,) * 5]),
        "attention_levels": some([(True, False), (True, True), (True, True, False), (True,), (True,) * 5]),
        "layers_per_block": some([1, 1, 2]),
    }
    join = some(["cross", "concat"])
    written, read = unet("writes", draw), unet("reads", draw)
    for fields in (written, read):
        fields["quirks"] = replace(fields["quirks"], reference_join=join)
    windows = some([None, None, WindowConfig(FRAMES, 1)])
    return EMOConfig(
        family=some(list(FAMILIES)),
        width=64,
        height=64,
        clip_frames=some([FRAMES, FRAMES, 4]),
        motion_frames=some([0, 2, 2]),
        backbone=UNetConfig(**(shape | read)),
        reference_net=UNetConfig(**(shape | written)),
        audio=AudioConfig(
            layers=some([1, 2]), feature_dim=some([6, 12]), context=some([0, 1]), hidden_dim=8, tokens=3
        ),
        speed=SpeedConfig(hidden_dim=8),
        face_locator_channels=(4, 4, 4, 4),
        quirks=Quirks(
            audio_projection=some(["mlp", "mlp", "perceiver", "none"]),
            audio_rows=some([1, 2]),
            audio_row_rate=some([None, 50.0]),
            audio_ends=some(["clamp", "zeros"]),
            identity=some([None, None, IdentityConfig(8, 2), IdentityConfig(8, 2, tiled=True)]),
            first_motion=some(["zeros", "portrait"]),
            windows=windows,
            locator_inputs=some([1, 3]),
            locator_convs=some([1, 2]),
            locator_pictures=some([False, False, True]),
            face_guided=some([True, False]),
        ),
    )


@torch.no_grad()
def test_every_configuration_that_can_be_made_runs():
    made = 0
    for seed in range(20_000):
        try:
            config = random_config(seed)
            family_of(config)
        except ValueError:
            continue
        made += 1
        torch.manual_seed(seed)
        scene = Scene.random(config, FRAMES)
        model = EMO(config).eval()
        try:
            conditions = scene.conditions(model)
            for half in (conditions, conditions.uncond()):
                assert scene.predict(model, half).shape == scene.noise.shape
        except (RuntimeError, AttributeError, TypeError, LookupError) as error:
            raise AssertionError(f"seed {seed} can be made but does not run: {config}") from error
        if made == 60:
            return
    raise AssertionError(f"only {made} configurations of 20000 were possible")
