"""What a rendering will take, before it starts."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..models.deep_cache import OFF
from .memory import Memory
from .rates import Rates
from .work import Work

LONG = 3600  # seconds, from which on it is worth saying what takes less


@dataclass(frozen=True)
class Estimate:
    """`steps` are those of all clips; `seconds` is None until such work was done once on this machine.
    Memory and what is free of it are in bytes, the latter None where the system does not tell."""

    frames: int
    clips: int
    steps: int
    seconds: float | None
    needed: Memory
    free: Memory | None
    lower: tuple[str, ...] = ()  # what would make it fit, if it does not
    quicker: tuple[str, ...] = ()  # what would take less time, if it is long

    @property
    def fits(self) -> bool:
        if self.free is None:
            return True
        graphics = self.free.graphics is None or (self.needed.graphics or 0) <= self.free.graphics
        return graphics and self.needed.main <= self.free.main

    def lines(self) -> Iterator[str]:
        """For the command line."""
        yield f"{_some(self.frames, 'frame')}, {_some(self.clips, 'clip')}, {_some(self.steps, 'step')}"
        if self.seconds is None:
            yield "the time is told after the first steps: nothing like it was rendered here yet"
        else:
            yield f"about {duration(self.seconds)}; clips that are kept from an earlier run take none"
        main, graphics = (self.free.main, self.free.graphics) if self.free else (None, None)
        yield f"memory: {_gigabytes(self.needed.main)}{_of(main)}"
        if self.needed.graphics is not None:
            yield f"memory of the GPU: {_gigabytes(self.needed.graphics)}{_of(graphics)}"
        if not self.fits:
            yield f"that does not fit: {_either((*self.lower, 'close other programs'))}"
        if self.quicker:
            yield f"for less time, {_either(self.quicker)}"


def estimate(
    work: Work, rates: Rates | None, needed: Memory, free: Memory | None = None, lean: bool = False
) -> Estimate:
    seconds = rates.seconds(work) if rates else None
    found = Estimate(work.frames, work.clips, work.all_steps, seconds, needed, free)
    lower = () if found.fits else tuple(_smaller(work, lean))
    quicker = tuple(_quicker(work)) if seconds and seconds > LONG else ()
    return Estimate(work.frames, work.clips, work.all_steps, seconds, needed, free, lower, quicker)


def _smaller(work: Work, lean: bool) -> Iterator[str]:
    if work.width > work.config.width:
        yield "lower --size"
    if work.dtype == torch.float32:
        yield "take --dtype bf16"
    if not lean:
        yield "take --low-memory"


def _quicker(work: Work) -> Iterator[str]:
    if work.steps > 1:
        yield "take fewer --steps"
        if work.deep_cache == OFF and work.config.quirks.windows is None:
            yield "--deep-cache 2"
    if work.passes() > work.steps:
        yield "a shorter share of --guided-steps"


def duration(seconds: float) -> str:
    """7 s, 2 min 05 s, 3 h 20 min."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _some(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _of(free: int | None) -> str:
    return "" if free is None else f" of {_gigabytes(free)} that are free"


def _either(ways: tuple[str, ...]) -> str:
    return f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
