"""Video files as upright RGB pictures at exactly 25 fps, streamed; what is damaged leaves a gap."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from emo_modules.media.files import open_input

from ..perception.rates import FPS
from .spans import Media, Square

# Containers of footage. libav also takes texts, single pictures and playlists of other addresses for video.
FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,dv,rm,nut,ivf,gxf,wtv,live_flv"
LARGEST_PICTURE = 8192 * 8192
LONGEST_HOLD = Fraction(1, 2)  # seconds that a picture may stand; longer ones are a gap
LARGEST_STEP_BACK = 1  # second
NEAR = 10 * FPS  # frames that are cheaper to decode on the way than to reach by a seek
HALF = Fraction(1, 2 * FPS)
OPTIONS = {"format_whitelist": FORMATS}


def open_media(path: Path) -> av.container.InputContainer:
    """Raises OSError for a file that cannot be read, ValueError for one that is no video."""
    if not path.is_file():
        raise ValueError("not a regular file" if path.exists() else "no such file")
    with path.open("rb"):
        pass  # names what is wrong with the permissions better than libav
    try:
        return open_input(path, **OPTIONS)
    except av.FFmpegError as error:
        raise ValueError(f"not a video: {error.strerror}") from error


def picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The first video stream that is no cover picture. Raises ValueError without one."""
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not moving:
        kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
        raise ValueError(f"not a video: the file holds {kinds}")
    moving[0].thread_type = "NONE"  # one process for each core already
    return moving[0]


def probe(path: Path) -> Media:
    """What the file holds, by its header and first picture. Raises ValueError with what is wrong."""
    with open_media(path) as container:
        stream = picture_stream(container)
        if stream.width * stream.height > LARGEST_PICTURE:
            raise ValueError(f"picture too large: {stream.width}x{stream.height}")
        first = next(_decode(container, stream), None)
        if first is None:
            raise ValueError("corrupt: no picture can be decoded")
        time, frame, _ = first
        width = max(1, round(frame.width * (stream.sample_aspect_ratio or 1)))  # of square pixels
        size = (width, frame.height) if _quarter_turns(frame) % 2 == 0 else (frame.height, width)
        seconds = (container.duration or 0) / av.time_base
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        return Media(*size, time, seconds, bool(container.streams.audio))


def _quarter_turns(frame: av.VideoFrame) -> int:
    return round(frame.rotation / 90) % 4  # anticlockwise, from the display matrix


def _decode(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[tuple[Fraction, av.VideoFrame, bool]]:
    """Whole frames, their times in seconds, always later, and whether damage lies between this and the last.

    After damage nothing is whole until the next key frame.
    """
    waiting, damaged, last = False, False, None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            waiting = damaged = True
            continue
        for frame in frames:
            waiting = (waiting and not frame.key_frame) or frame.is_corrupt
            damaged |= waiting
            if waiting or frame.pts is None or frame.time_base is None:
                continue
            time = frame.pts * frame.time_base
            if last is not None and time < last - LARGEST_STEP_BACK:
                raise ValueError(f"time stamps go back: from {float(last):.2f} s to {float(time):.2f} s")
            if last is None or time > last:
                yield time, frame, damaged
                last, damaged = time, False


def _to_25_fps(
    decoded: Iterator[tuple[Fraction, av.VideoFrame, bool]], origin: Fraction
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frame numbers at 25 fps and the source's frame nearest to each, by time stamps.

    A frame stands until half a frame before the next. Where nothing comes for LONGEST_HOLD, and where the
    file is damaged, numbers are missing.
    """
    previous, begin, before, reach = None, Fraction(0), Fraction(0), HALF
    for time, frame, damaged in decoded:
        time -= origin
        gap = time - before
        if previous is None:
            begin = time - HALF
        elif damaged or gap > LONGEST_HOLD:
            yield from _repeat(previous, begin, before + reach)
            begin = time - HALF
        else:
            reach = min(gap / 2, HALF)
            yield from _repeat(previous, begin, time - reach)
            begin = time - reach
        previous, before = frame, time
    if previous is not None:
        yield from _repeat(previous, begin, before + reach)


def _repeat(frame: av.VideoFrame, begin: Fraction, end: Fraction) -> Iterator[tuple[int, av.VideoFrame]]:
    for number in range(max(0, math.ceil(begin * FPS)), math.ceil(end * FPS)):
        yield number, frame


class VideoReader:
    """Reads one video at 25 fps, forwards; used as a context manager."""

    def __init__(self, path: Path, media: Media) -> None:
        self._path, self._media = path, media
        self._next = 0  # number that comes at the earliest

    def __enter__(self) -> Self:
        self._container = open_media(self._path)
        self._stream = picture_stream(self._container)
        self._numbers = self._from_here()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def all(self, side: int) -> Iterator[tuple[int, np.ndarray]]:
        """Number and picture (h, w, 3) uint8 of all frames, the longer side at most `side`."""
        size = reduced_size(self._media, side)
        last, pixels = None, np.empty(0, np.uint8)
        for number, frame in self._numbers:
            if frame is not last:
                last, pixels = frame, self._turn_upright(frame, size)
            yield number, pixels

    def crop(self, first: int, stop: int, box: Square, side: int) -> tuple[np.ndarray, int]:
        """The part `box` of the frames first..stop as (T, side, side, 3) uint8, and how many of them differ.

        Raises ValueError when the file does not give these frames again.
        """
        pictures = np.empty((stop - first, side, side, 3), np.uint8)
        done, fresh, last = 0, 0, None
        for number, frame in self._since(first):
            if number != first + done:
                break
            if frame is not last:
                last, pixels, fresh = frame, self._crop(frame, box, side), fresh + 1
            pictures[done] = pixels
            done += 1
            if done == stop - first:
                self._next = stop
                return pictures, fresh
        raise ValueError(f"corrupt: frame {first + done} came once, but not when read again")

    def _from_here(self) -> Iterator[tuple[int, av.VideoFrame]]:
        return _to_25_fps(_decode(self._container, self._stream), self._media.origin)

    def _since(self, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
        if not 0 <= first - self._next <= NEAR:
            self._seek(first)
        for number, frame in self._numbers:
            if number > first and self._next == -1:
                break  # the seek went too far: the file's index is wrong
            if number >= first:
                yield number, frame
            self._next = number + 1
        if self._next == -1:
            self._restart()
            yield from (item for item in self._numbers if item[0] >= first)

    def _seek(self, first: int) -> None:
        time = self._media.origin + Fraction(first, FPS) - 1
        assert self._stream.time_base, "frames had times"
        self._container.seek(math.floor(time / self._stream.time_base), stream=self._stream, backward=True)
        self._numbers, self._next = self._from_here(), -1

    def _restart(self) -> None:
        self._container.close()
        self.__enter__()
        self._next = 0

    def _crop(self, frame: av.VideoFrame, box: Square, side: int) -> np.ndarray:
        import cv2

        x0, y0, x1, y1 = box
        whole = self._turn_upright(frame, (self._media.width, self._media.height))
        how = cv2.INTER_AREA if x1 - x0 > side else cv2.INTER_CUBIC
        return cv2.resize(np.ascontiguousarray(whole[y0:y1, x0:x1]), (side, side), interpolation=how)

    def _turn_upright(self, frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
        """The frame as (h, w, 3) uint8 for size (w, h), turned as its display matrix says."""
        turns = _quarter_turns(frame)
        width, height = size if turns % 2 == 0 else size[::-1]
        options: dict[str, Any] = {"interpolation": "AREA" if width < frame.width else "BICUBIC"}
        picture = frame.reformat(width, height, "rgb24", **options)
        return np.ascontiguousarray(np.rot90(picture.to_ndarray(), turns))


def reduced_size(media: Media, side: int) -> tuple[int, int]:
    """Width and height with the longer side at most `side`."""
    scale = min(1.0, side / max(media.width, media.height))
    return max(1, round(media.width * scale)), max(1, round(media.height * scale))
