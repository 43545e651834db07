"""What one pass of the Backbone is made of: kernels, floating-point operations, and bytes.

    python -m benchmarks.counts --structure emo --size 512

prints one JSON line for each part of a rendering. Nothing is computed: tensors have no data, and are of half
precision. A kernel is a call of ATen that is no view and does more than reserve memory; bytes are what
kernels read and write when none is fused with another. Attention is one kernel, as on a GPU.
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.originals.counting import Counts
from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.families.table import RELEASES, face_cues
from emo_modules.models.attention import Operations
from emo_modules.models.conditions import Conditions, VideoConditions
from emo_modules.models.emo import EMO

FACE = (0.28, 0.2, 0.72, 0.8)  # of the picture's sides
FRAMES = 12


def flash(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Attention as a GPU computes it, in one kernel."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    shape = torch.broadcast_shapes(q.shape[:2], k.shape[:2])
    q, k, v = (t.expand(*shape, *t.shape[2:]) for t in (q, k, v))
    return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v)[0].transpose(1, 2).flatten(2)


class OnGPU(Operations):
    attend = staticmethod(flash)


def read_portrait(model: EMO, like: Tensor, size: int) -> VideoConditions:
    config, latent = model.config, size // 8
    with torch.device("cpu"):  # which places a mask leaves out is data
        cues = face_cues(config, Box(*(share * size for share in FACE)), size, size)
    portrait = like.new_empty(1, config.latent_channels, latent, latent)
    picture = like.new_empty(1, config.quirks.locator_inputs, size, size)
    return model.conditioner().video(portrait, picture, regions=cues.to(like.device, like.dtype).regions)


def read_clip(model: EMO, video: VideoConditions) -> Conditions:
    """Of a clip that has another before it."""
    config, frames, like = model.config, model.config.clip_frames, video.portrait
    audio = like.new_empty(1, frames, config.window_rows, config.audio.layers, config.audio.feature_dim)
    motion = like[:, None].expand(-1, config.motion_frames, -1, -1, -1) if config.motion_frames else None
    speeds = like.new_empty(1, frames) if config.backbone.speed_dim else None
    return model.conditioner().clip(video, frames, audio, speeds, motion=motion)


def structure(name: str) -> EMOConfig:
    """The paper's, or a relative's at as many frames."""
    if name == "emo":
        return EMOConfig.sd15()
    config = RELEASES[name].config
    windows = config.quirks.windows
    if windows is not None:
        windows = replace(windows, frames=FRAMES)
    return replace(config, clip_frames=FRAMES, quirks=replace(config.quirks, windows=windows))


@torch.no_grad()
def counts(config: EMOConfig, size: int, fused: bool = True) -> dict[str, dict[str, Any]]:
    """By part: `portrait` once a video, `clip` once a clip, `cond` and `uncond` at every step.

    `fused` as the library renders on a GPU; in ComfyUI each projection is a product of its own.
    """
    found: dict[str, dict[str, Any]] = {}
    with torch.device("meta"):
        model = EMO(config, OnGPU).to(torch.bfloat16).eval()
    if fused:
        model.fuse()
    like = next(model.parameters())
    read_clip(model, read_portrait(model, like, size))  # tables that are made once a process
    video, found["portrait"] = counted(lambda: read_portrait(model, like, size))
    clip, found["clip"] = counted(lambda: read_clip(model, video))
    x = like.new_empty(config.clip_frames, config.latent_channels, size // 8, size // 8)
    timesteps = torch.zeros(config.clip_frames, dtype=torch.long, device="meta")
    model.predict(x, timesteps, clip)
    for name, given in (("cond", clip), ("uncond", clip.uncond())):
        _, found[name] = counted(lambda given=given: model.predict(x, timesteps, given))
    return found


def counted(call: Any) -> tuple[Any, dict[str, Any]]:
    with Counts() as seen:
        result = call()
    return result, {
        "kernels": seen.kernels.total(),
        "teraflop": round(seen.operations / 1e12, 2),
        "gigabyte": round(seen.bytes / 1e9, 1),
        "by_kernel": dict(seen.kernels.most_common()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structure", choices=["emo", *sorted(RELEASES)], required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--separate", action="store_true", help="queries, keys and values as in ComfyUI")
    parser.add_argument("--kernels", action="store_true", help="how often each kernel runs")
    options = parser.parse_args()
    for part, found in counts(structure(options.structure), options.size, not options.separate).items():
        by_kernel = found.pop("by_kernel")
        print(json.dumps({"part": part} | found | ({"by_kernel": by_kernel} if options.kernels else {})))


if __name__ == "__main__":
    main()
