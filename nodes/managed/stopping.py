"""Stop and keep: a press on the sampler's button ends it after the clip it is at, with what is there."""

from comfy_execution.utils import get_executing_context

_pressed: set[str] = set()
_ended: dict[str, int] = {}  # frames of the video that a press ended, by node
_stops = 0


def press(node: str) -> None:
    """Of the node with this execution id, if it is sampling."""
    _pressed.add(node)


def begin(node: str | None) -> None:
    """What was pressed before a run is not meant for it. ComfyUI calls a node again for each of several
    speakers: that is no other run."""
    _pressed.discard(str(node))
    if speaker() == 0:
        _ended.pop(str(node), None)


def speaker() -> int:
    """For which of several speakers ComfyUI calls the node now."""
    context = get_executing_context()
    return 0 if context is None else context.list_index or 0


def stopped(node: str | None, frames: int) -> bool:
    """Whether it was pressed since it began, or this many frames are enough, since another of its videos
    ended with them."""
    global _stops
    if str(node) not in _pressed:
        return frames >= _ended.get(str(node), frames + 1)
    _pressed.discard(str(node))
    _stops += 1
    _ended[str(node)] = frames
    return True


def stops() -> int:
    """How many videos ended early: ComfyUI must not take one of them for the whole the next time."""
    return _stops
