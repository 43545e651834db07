"""What a person wears on the head."""

from ...people.person import Person
from ..pieces import Piece
from ..posing import Body
from .glasses import earring_pieces, glasses_pieces
from .headwear import headwear_pieces


def worn_pieces(person: Person, body: Body) -> list[Piece]:
    pieces = glasses_pieces(person.glasses, body) if person.glasses else []
    pieces += headwear_pieces(person.headwear, body) if person.headwear else []
    return pieces + (earring_pieces(person.earrings, body) if person.earrings else [])
