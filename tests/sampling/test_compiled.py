"""How many graphs a compiled Backbone takes: compiling one takes minutes on a GPU."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.media.audio import Audio
from emo_modules.models.emo import EMO
from emo_modules.sampling.clips import Driving, render_clips
from emo_modules.sampling.noise import video_noise
from emo_modules.sampling.solver import Solver

SHAPE = {"block_out_channels": (16, 16), "attention_levels": (True, False), "layers_per_block": 1}
SIZE = (4, 8, 8)
SOUNDS = (5.1, 7.3)  # seconds; both end within a clip


def flat(config: EMOConfig) -> EMOConfig:
    """With as few layers as can be, and with each of their kinds."""
    return replace(
        config,
        clip_frames=12,
        backbone=replace(config.backbone, **SHAPE),
        reference_net=replace(config.reference_net, **SHAPE),
    )


@torch.no_grad()
def render(model: EMO, seconds: float) -> Tensor:
    config = model.config
    frames = Audio(torch.zeros(round(seconds * 16000))).frame_count(config.fps)
    assert frames % config.clip_frames
    driving = Driving(
        torch.randn(frames, config.audio.layers, config.audio.feature_dim), torch.full((frames,), 9.0)
    )
    conditioner = model.conditioner()
    video = conditioner.video(torch.randn(1, *SIZE), torch.ones(1, 1, 64, 64))
    noise = video_noise(frames, config.clip_frames, SIZE, 0.0, 0)
    solver = Solver(model, "ddim", 2, 2.0)
    return torch.cat(list(render_clips(conditioner, video, driving, frames, solver, noise)))


@pytest.mark.slow
def test_films_of_any_length_share_one_graph_for_each_half_of_guidance(tiny_config):
    graphs: list[nn.Module] = []

    def count(graph: nn.Module, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    model = EMO(flat(tiny_config)).eval()
    torch.compiler.reset()
    model.backbone.compile(backend=count)
    for seconds in SOUNDS:
        assert render(model, seconds).isfinite().all()
    assert len(graphs) == 2
