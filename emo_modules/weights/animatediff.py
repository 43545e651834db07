"""AnimateDiff v2's motion module as the starting point of the temporal modules (EMO sec. 3.3)."""

import re

import torch
from torch import Tensor

from ..models.emo import EMO
from ..models.temporal import time_positions
from .rename import load_strict, rename

RULES = [
    (r"\.temporal_transformer\.", "."),
    (r"\.attention_blocks\.0\.", ".attn1."),
    (r"\.attention_blocks\.1\.", ".attn2."),
    (r"\.norms\.0\.", ".norm1."),
    (r"\.norms\.1\.", ".norm2."),
    (r"\.ff_norm\.", ".norm3."),
]
NAMES = [  # back again
    (r"(\.motion_modules\.\d+)\.", r"\1.temporal_transformer."),
    (r"\.attn1\.", ".attention_blocks.0."),
    (r"\.attn2\.", ".attention_blocks.1."),
    (r"\.norm1\.", ".norms.0."),
    (r"\.norm2\.", ".norms.1."),
    (r"\.norm3\.", ".ff_norm."),
]
TABLE_LENGTH = 32  # frames in AnimateDiff v2's position tables
POSITIONS = r"\.(pos_encoder|pos_embed)\.pe$"
NOT_IN_ANIMATEDIFF = r"^(?!.*\.motion_modules\.)|\.(norm|attn)_speed\."
EXPECTED = (
    "AnimateDiff v2 for Stable Diffusion 1.5: mm_sd_v15_v2 (v1 lacks the mid block), or "
    "the same weights as diffusers' adapter guoyww/animatediff-motion-adapter-v1-5-2"
)
REMEDY = f"Expected is {EXPECTED}."


def animatediff_motion_modules(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """AnimateDiff's or diffusers' adapter keys -> the Backbone's; position tables go, they are computed.

    Raises ValueError when a position table is not the encoding that our temporal modules compute.
    """
    for key, table in state.items():
        if re.search(POSITIONS, key) and not _is_time_table(table):
            raise ValueError(f"{source}: {key} is not the sinusoidal table of AnimateDiff. {REMEDY}")
    return rename({k: v for k, v in state.items() if not re.search(POSITIONS, k)}, RULES)


def as_animatediff(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of `animatediff_motion_modules`, position tables included; other keys stay as they are."""
    modules = {key: value for key, value in state.items() if ".motion_modules." in key}
    named = rename(modules, NAMES)
    for key in [key for key in named if key.endswith(".to_q.weight")]:
        width = named[key].new_empty(1, TABLE_LENGTH, len(named[key]))
        named[key.replace("to_q.weight", "pos_encoder.pe")] = time_positions(width)[None].clone()
    return {key: value for key, value in state.items() if key not in modules} | named


def _is_time_table(table: Tensor) -> bool:
    # half precision rounds values near 1 by up to 2 ** -9
    return table.ndim == 3 and torch.allclose(table[0].float(), time_positions(table).float(), atol=4e-3)


def initialise_from_animatediff(model: EMO, state: dict[str, Tensor], source: str) -> list[str]:
    """Copy AnimateDiff's motion module into the Backbone.

    Returns the names of the temporal parameters that it lacks, left as they were: those of the speed layers.
    Raises ValueError naming `source` when the weights are not AnimateDiff v2's.
    """
    modules = animatediff_motion_modules(state, source)
    left = load_strict(model.backbone, modules, source, may_miss=NOT_IN_ANIMATEDIFF, remedy=REMEDY)
    return [f"backbone.{key}" for key in left if ".motion_modules." in key]
