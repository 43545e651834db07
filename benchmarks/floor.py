"""What a guided step must cost at least: its operations and bytes, and the machine's rate for them.

    python -m benchmarks.floor --family hallo --size 256

prints one JSON line. Operations are counted on tensors without data; the rate is that of one large matrix
product through oneDNN, or cuBLAS on a GPU. With `--deep-cache 3` they are the mean of three steps, of which
one computes the deep layers.
"""

import argparse
import json
import time

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.families.table import RELEASES, face_cues
from emo_modules.models.conditions import Conditions
from emo_modules.models.cpu import Linear
from emo_modules.models.deep_cache import DeepCache, check_deep_cache
from emo_modules.models.emo import EMO

FACE = (0.28, 0.2, 0.72, 0.8)  # of the picture's sides
MATRIX = 4096


def conditions(model: EMO, size: int) -> Conditions:
    """Of one clip, for a model without data."""
    config, frames, latent = model.config, model.config.clip_frames, size // 8
    face = Box(*(share * size for share in FACE))
    with torch.device("cpu"):  # which places a mask leaves out is data
        cues = face_cues(config, face, size, size)
    video = model.conditioner().video(
        torch.empty(1, 4, latent, latent),
        torch.empty(1, config.quirks.locator_inputs, size, size),
        regions=cues.to(torch.device("meta"), torch.float32).regions,
    )
    rows = config.window_rows
    audio = torch.empty(1, frames, rows, config.audio.layers, config.audio.feature_dim)
    return model.conditioner().clip(video, frames, audio)


def operations(config: EMOConfig, size: int, interval: int = 1) -> tuple[int, int]:
    """(floating-point operations of a guided step, bytes of the weights that it reads). With DeepCache at
    this interval the operations are the mean of as many steps."""
    with torch.device("meta"), torch.no_grad():
        model = EMO(config).eval()
        cache = DeepCache(interval)
        given = conditions(model, size).keeping_deep(cache)
        x = torch.empty(config.clip_frames, 4, size // 8, size // 8)
        timesteps = torch.zeros(config.clip_frames)
        with FlopCounterMode(display=False) as counter:
            for _ in range(interval):
                cache.begin_step()
                model.predict(x, timesteps, given)
                if config.schedule.cfg != 1:
                    model.predict(x, timesteps, given.uncond())
    return counter.get_total_flops() // interval, sum(p.numel() * 4 for p in model.backbone.parameters())


def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a product of two square matrices, the best of five."""
    layer = Linear(MATRIX, MATRIX, bias=False, device=device, dtype=dtype)
    x = torch.randn(MATRIX, MATRIX, device=device, dtype=dtype)
    best = min(seconds_of(layer, x) for _ in range(5))
    return 2 * MATRIX**3 / best


@torch.no_grad()
def seconds_of(layer: torch.nn.Module, x: Tensor) -> float:
    start = time.perf_counter()
    layer(x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=sorted(RELEASES), required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--deep-cache", type=int, default=1, metavar="INTERVAL", help="1 is off")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = RELEASES[options.family].config
    check_deep_cache(options.deep_cache)
    flops, weights = operations(config, options.size, options.deep_cache)
    rate = matrix_rate(options.device, getattr(torch, options.dtype))
    print(
        json.dumps(
            {
                "family": options.family,
                "size": options.size,
                "deep_cache": options.deep_cache,
                "frames": config.clip_frames,
                "teraflop_per_step": round(flops / 1e12, 3),
                "weights_gigabyte": round(weights / 1e9, 2),
                "matrix_gigaflop_per_second": round(rate / 1e9),
                "floor_seconds_per_step": round(flops / rate, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
