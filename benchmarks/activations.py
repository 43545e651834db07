"""Peak memory of one denoising pass without weights, per place of the UNet, frame and channel of the first
level.

Nothing is computed: tensors are fake, and the bytes of those alive are counted as each operation runs. This
is the number behind what the nodes tell ComfyUI (`ACTIVATIONS_PER_PIXEL` in emo_modules/cost/memory.py).
"""

import argparse
import json
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.schedule import alphas_cumprod
from emo_people.recipe.config import BUILT_IN


class Peak(TorchDispatchMode):
    """Bytes of all storages that operations under it have made and that are still referenced."""

    def __init__(self, weights: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.alive, self.peak = 0, 0
        # Views of the weights count as none.
        self.known = weakref.WeakSet(tensor.untyped_storage() for tensor in weights)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.count(tensor.untyped_storage())
        return out

    def count(self, storage: torch.UntypedStorage) -> None:
        if storage in self.known:
            return
        self.known.add(storage)
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self.release, size)

    def release(self, size: int) -> None:
        self.alive -= size


def elements_per_pixel(config: EMOConfig, size: int) -> float:
    """For one clip of `size` x `size` latents, guidance off."""
    frames, channels, audio = config.clip_frames, config.latent_channels, config.audio
    alphas_cumprod(config.schedule)  # cached: it asks for numbers, which fake tensors do not have
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        model = EMO(config).eval()
        conditioner = model.conditioner()
        # The conditions are made under it too, because views of them are no memory of the pass.
        with Peak(model.parameters()) as peak:
            portrait = torch.zeros(1, channels, size, size)
            pixels = torch.zeros(1, 3, 8 * size, 8 * size) if config.moving else None
            video = conditioner.video(portrait, torch.zeros(1, 1, 8 * size, 8 * size), pixels=pixels)
            windows = torch.zeros(1, frames, 2 * audio.context + 1, audio.layers, audio.feature_dim)
            motion = portrait[None].expand(1, config.motion_frames, -1, -1, -1)
            conditions = conditioner.clip(video, frames, windows, torch.zeros(1, frames), motion=motion)
            noisy, steps = torch.zeros(frames, channels, size, size), torch.zeros(frames)
            before = peak.peak = peak.alive
            model.predict(noisy, steps, conditions)
    places = size * size / config.backbone.patch**2
    return (peak.peak - before) / 4 / (frames * places * config.backbone.block_out_channels[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 64, 96], help="latent pixels")
    sizes = parser.parse_args().sizes
    for config in (BUILT_IN, EMOConfig.sd15()):
        figures = {size: round(elements_per_pixel(config, size), 1) for size in sizes}
        print(json.dumps({"model": config.name, "elements_per_pixel_and_channel": figures}))


if __name__ == "__main__":
    main()
