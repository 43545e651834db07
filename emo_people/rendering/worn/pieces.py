"""What a person wears on the head."""

from ...people.headwear import COVERING
from ...people.person import Person
from ..pieces import Piece
from ..posing import Body
from .glasses import earring_pieces, glasses_pieces
from .headscarf import covering_pieces
from .headwear import headwear_pieces


def worn_pieces(person: Person, body: Body) -> list[Piece]:
    pieces = glasses_pieces(person.glasses, body) if person.glasses else []
    if person.headwear:
        cover = covering_pieces if person.headwear.kind in COVERING else headwear_pieces
        pieces += cover(person.headwear, body)
    return pieces + (earring_pieces(person.earrings, body) if person.earrings else [])
