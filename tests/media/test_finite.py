"""Values that are not finite are found in every type, and nothing else is."""

import pytest
import torch

from emo_modules.media.finite import check_finite

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_value_is_enough(kind: torch.dtype, value: float) -> None:
    values = torch.zeros(3, 4, 5, dtype=kind)
    check_finite(values, "this")
    values[1, 2, 3] = value
    with pytest.raises(ValueError, match="^this has NaN or infinite values: use fp32 or bf16"):
        check_finite(values, "this")


def test_the_greatest_numbers_of_a_type_are_finite() -> None:
    for kind in TYPES:
        check_finite(torch.tensor([torch.finfo(kind).max, torch.finfo(kind).min], dtype=kind), "this")
