"""Stop and keep: a press on the sampler's button ends it after the clip it is at, with what is there."""

_pressed: set[str] = set()
_stops = 0


def press(node: str) -> None:
    """Of the node with this execution id, if it is sampling."""
    _pressed.add(node)


def begin(node: str | None) -> None:
    """What was pressed before a run is not meant for it."""
    _pressed.discard(str(node))


def stopped(node: str | None) -> bool:
    """Whether it was pressed since it began."""
    global _stops
    if str(node) not in _pressed:
        return False
    _pressed.discard(str(node))
    _stops += 1
    return True


def stops() -> int:
    """How many videos ended early: ComfyUI must not take one of them for the whole the next time."""
    return _stops
