"""Nothing that was computed wrongly becomes a video."""

import torch
from torch import Tensor

REMEDY = (
    "use fp32 or bf16 in place of fp16 (dtype in EMO Load Model, --dtype on the command line, --fp32-vae for "
    "ComfyUI's VAE). If fp32 gives them too, the weights are damaged, or cfg is far from the model's own"
)


def is_finite(values: Tensor) -> bool:
    """Of floats, at least one; without another tensor of their size."""
    return bool(torch.stack(values.detach().aminmax()).isfinite().all())


def check_finite(values: Tensor, what: str) -> None:
    """Raises ValueError with the remedy when a value is NaN or infinite; `what` they are begins it."""
    if not is_finite(values):
        raise ValueError(f"{what} has NaN or infinite values: {REMEDY}")
