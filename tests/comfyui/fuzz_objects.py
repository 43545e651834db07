"""Objects that no node of the pack makes: of other packs, of core, and broken ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

FACE = {
    "bbox_xyxy": np.array([25.0, 27.0, 105.0, 104.0]),
    "landmarks_xy": np.stack([np.linspace(25, 105, 478), np.linspace(27, 104, 478)], axis=1),
    "score": 0.9,
}
# valid ones
OF_OTHERS = {
    "BOUNDING_BOX": [{"x": 25, "y": 27, "width": 80, "height": 77}],
    "FACE_LANDMARKS": [{"frames": [[FACE]], "image_size": (128, 128), "connection_sets": {}}],
    "FACE_EMBEDDING": [torch.linspace(-1, 1, 512)[None]],
}


class Stranger:
    """An object that only another pack knows."""


class Mapped(Mapping):
    """VideoHelperSuite's sound is no dict."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __iter__(self) -> Any:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)


def small_vae(channels: int, scale: float = 0.1) -> Any:
    """core's VAE around the smallest network that it knows, with random weights."""
    import comfy.sd
    from comfy.taesd.taesd import TAESD

    generator = torch.Generator().manual_seed(0)
    state = TAESD(latent_channels=channels).state_dict()
    return comfy.sd.VAE(
        sd={key: scale * torch.randn(value.shape, generator=generator) for key, value in state.items()}
    )


def other_model() -> Any:
    """A MODEL that is not EMO's."""
    import comfy.model_patcher

    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(torch.nn.Linear(1, 1), load_device=cpu, offload_device=cpu)


def overflowing_model(model: Any) -> Any:
    """As weights in half precision may be."""
    broken = model.clone()
    broken.set_model_unet_function_wrapper(
        lambda apply, call: float("nan") * apply(call["input"], call["timestep"], **call["c"])
    )
    return broken
