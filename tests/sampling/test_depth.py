"""How many of the project's own functions stand between `Pipeline.animate` and the attention kernel."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from emo_modules.checkpoints.vae import build_vae
from emo_modules.cues.face import Box
from emo_modules.families.table import family_of
from emo_modules.media.audio import Audio
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline

from ..relatives import random_emo, small

ROOT = Path(__file__).parents[2]
DEEPEST = 12  # who reads the code goes through each of them
FAMILIES = ["emo", "hallo", "joyhallo", "echomimic", "echomimic_pose", "v_express"]


@pytest.mark.parametrize("family", FAMILIES)
def test_few_functions_stand_before_the_attention_kernel(family, tiny_config, monkeypatch):
    """Two clips or windows, with guidance. Frames of torch do not count."""
    config = tiny_config if family == "emo" else small(family)
    with torch.random.fork_rng(devices=[]):
        encoder = family_of(config).hearing.build(config.audio).eval()
        pipeline = Pipeline(random_emo(config).conditioner(), build_vae(config).eval(), encoder)
    stacks: list[list[str]] = []
    kernel, here = functional.scaled_dot_product_attention, sys._getframe()

    def watched(*given: Tensor, **named: Any) -> Tensor:
        frame, own = sys._getframe(1), []
        while frame is not None and frame is not here:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(ROOT / "emo_modules"):
                own.append(f"{file.stem}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        speech = any(name.startswith("wav2vec2") for name in own)
        if own[:1] == ["attention.attend"] and not speech:  # nor the VAE's
            stacks.append(own[::-1])
        return kernel(*given, **named)

    options = Options(box=Box(20, 16, 50, 52), steps=1, cfg=2.0, landmark_pictures=torch.rand(60, 3, 64, 64))
    samples = 640 * (config.clip_frames + 12)
    animation = pipeline.animate(torch.rand(70, 84, 3), Audio(torch.randn(samples)), options)
    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    for _ in animation.frames:
        pass
    assert len(stacks) > 50
    assert {stack[0] for stack in stacks} == {"pipeline.Pipeline.latents"}
    assert max(stacks, key=len)[DEEPEST:] == []
