"""Several people of one picture, each with a sound: rendered clip by clip and put back into it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from torch import Tensor

from .cues.box import Box
from .cues.detect import search_faces
from .cues.face import Crop
from .cues.paste import paste_stream
from .media.audio import Audio
from .media.conversation import Conversation, head_speeds
from .options import Options
from .pipeline import Animation, Pipeline, Progress

FEATHER = 16  # pixels of the picture over which a crop fades into it


def faces_of(portrait: Tensor, count: int) -> list[Box]:
    """The `count` largest faces of a picture (H, W, 3), from left to right. Raises ValueError when it shows
    fewer."""
    found = search_faces(portrait)
    if len(found) < count:
        raise ValueError(
            f"{count} people are to speak, but {len(found)} faces were found: give a box for each"
        )
    return sorted(found[:count], key=lambda box: box.centre[0])


def animate_together(
    pipeline: Pipeline,
    portrait: Tensor,
    talk: Conversation,
    boxes: Sequence[Box],
    options: Options,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Animation:
    """Portrait (H, W, 3) in 0..1 whose faces speak, voice k in box k -> whole pictures, at its size.

    Every speaker performs from another seed, and is calmer while it listens. `progress` counts the clips of
    all of them. Raises ValueError unless there is a box for each voice.
    """
    if len(boxes) != len(talk.voices):
        raise ValueError(f"{len(talk.voices)} people speak, but there are {len(boxes)} boxes: one for each")
    speakers: list[Animation] = []
    for number, (box, voice) in enumerate(zip(boxes, talk.voices, strict=True)):
        own = replace(options, box=box, seed=options.seed + number)
        if options.head_speed is not None and options.speed_curve is None:
            own = replace(own, speed_curve=_speeds(voice, pipeline.config.fps, options))
        show = progress and _among(progress, number, len(boxes))
        speakers.append(pipeline.animate(portrait, voice, own, show, stopped))
    first, (height, width) = speakers[0], portrait.shape[:2]
    videos = [(_in_main_memory(each.frames), each.prepared.crop) for each in speakers]
    whole = Crop(width, height, Box(0, 0, width, height), width, height)
    return replace(
        first,
        frames=_one_by_one(paste_stream(videos, portrait, FEATHER)),
        audio=talk.mixed.from_frame(round(options.start * first.fps), first.fps).fit_to_frames(
            first.count, first.fps
        ),
        prepared=replace(first.prepared, crop=whole),
    )


def _speeds(voice: Audio, fps: float, options: Options) -> tuple[float, ...]:
    """Of the video's own frames."""
    assert options.head_speed is not None
    return head_speeds(voice, fps, options.head_speed)[round(options.start * fps) :]


def _among(show: Callable[[Progress], None], number: int, speakers: int) -> Callable[[Progress], None]:
    """Progress of speaker `number` as that of all: their clips take turns."""

    def of_all(progress: Progress) -> None:
        clip = (progress.clip - 1) * speakers + number + 1
        show(replace(progress, clip=clip, clips=progress.clips * speakers))

    return of_all


def _in_main_memory(clips: Iterable[Tensor]) -> Iterator[Tensor]:
    """Frame by frame, where the picture is that they are pasted into."""
    return chain.from_iterable(frames.cpu() for frames in clips)


def _one_by_one(pictures: Iterable[Tensor]) -> Iterator[Tensor]:
    return (picture[None] for picture in pictures)
