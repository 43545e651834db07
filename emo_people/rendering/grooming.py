"""What the skin's shader groom.glsl draws of a person's hair."""

import numpy as np

from ..people.hair import GREY
from ..people.looks import Colour
from ..people.person import Person

GROWN = 0.8  # how much of the skin is dark under a beard


def groom_uniforms(person: Person) -> dict[str, object]:
    hair, brows, beard = person.hair, person.brows, person.beard
    lengths = beard.moustache, beard.chin, beard.cheeks
    cover = {"bald": 0.0, "shaved": 0.5}.get(hair.kind, 1.0)
    return {
        "scalp_colour": greyed(hair.colour, hair.grey),
        "scalp_cover": cover,
        "scalp_thinning": hair.thinning,
        "hairline": hair.hairline,
        "brow_colour": brows.colour,
        "brow_shape": (brows.thickness, brows.density, brows.arch, brows.tilt),
        "brow_gap": brows.gap,
        "beard_colour": greyed(beard.colour, beard.grey),
        "beard_cover": [max(beard.stubble, GROWN * (length > 0)) for length in lengths],
        "beard_height": beard.height,
    }


def greyed(colour: Colour, share: float) -> np.ndarray:
    """The mean of hairs (3,) of which a share is grey."""
    return np.array(colour) * (1 - share) + 0.7 * GREY * share
