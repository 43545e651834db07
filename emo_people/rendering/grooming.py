"""What the skin's shader groom.glsl draws of a person's hair."""

from ..people.person import Person


def groom_uniforms(person: Person) -> dict[str, object]:
    hair, brows = person.hair, person.brows
    cover = {"bald": 0.0, "shaved": 0.5}.get(hair.kind, 1.0)
    return {
        "scalp_colour": hair.colour,
        "scalp_cover": cover,
        "scalp_thinning": hair.thinning,
        "hairline": hair.hairline,
        "brow_colour": brows.colour,
        "brow_shape": (brows.thickness, brows.density, brows.arch, brows.tilt),
        "brow_gap": brows.gap,
    }
