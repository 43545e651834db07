"""Generated and true videos paired by name, read as 25 frames and 16000 samples per second."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np

from emo_modules.media.audio import load_audio
from emo_modules.media.files import open_input
from emo_modules.media.formats import H264, VP9

from ..perception.rates import FPS
from .protocol import Protocol, central_square

SLACK = 0.0005  # seconds: time stamps are rounded
KINDS = (*H264.suffixes, *VP9.suffixes, ".avi")


@dataclass(frozen=True)
class Video:
    """One file; frames are decoded as they are asked for, as often as they are asked for."""

    path: Path
    side: int | None = None  # of the central square that is looked at; None: the whole picture

    def frames(self) -> Iterator[np.ndarray]:
        """Frames (H, W, 3) uint8 at 25 fps: what is on the screen at each 1/25 s.

        Raises ValueError that says what the file holds instead of video.
        """
        for frame in self._shown():
            picture = frame.to_ndarray(format="rgb24")
            yield central_square(picture, self.side) if self.side else picture

    def _shown(self) -> Iterator[av.VideoFrame]:
        count, shown = 0, None
        for time, frame in self._decode():
            while shown is not None and count / FPS < time - SLACK:
                yield shown
                count += 1
            shown = frame
        if shown is None:
            raise ValueError(f"{self.path} has a video stream without frames")
        while count / FPS < time + 1 / self.rate - SLACK:
            yield shown
            count += 1

    def _decode(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Each frame with the time at which it appears, in seconds after the first."""
        start = None
        with self._open() as container:
            stream = container.streams.video[0]
            try:
                for frame in container.decode(stream):
                    if frame.pts is None or stream.time_base is None:
                        continue  # nobody knows when it is shown
                    time = float(frame.pts * stream.time_base)
                    start = time if start is None else start
                    yield time - start, frame
            except av.FFmpegError as error:
                raise ValueError(f"{self.path} cannot be read to its end: {error.strerror}") from error

    def _open(self) -> av.container.InputContainer:
        try:
            container = open_input(self.path)
        except av.FFmpegError as error:
            raise ValueError(f"{self.path} cannot be read as video: {error.strerror}") from error
        if not container.streams.video:
            kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
            raise ValueError(f"{self.path} has no video stream, found: {kinds}")
        return container

    @cached_property
    def rate(self) -> float:
        """The file's own frames per second, on average."""
        with self._open() as container:
            return float(container.streams.video[0].average_rate or FPS)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels."""
        return (self.side, self.side) if self.side else self.stored_size

    @cached_property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in the file, in pixels."""
        with self._open() as container:
            return container.streams.video[0].width, container.streams.video[0].height

    @cached_property
    def has_sound(self) -> bool:
        with self._open() as container:
            return bool(container.streams.audio)

    def waveform(self) -> np.ndarray:
        """The sound (S,) float32, 16 kHz mono. Raises ValueError for a silent file."""
        return load_audio(self.path).mono.numpy()


@dataclass(frozen=True)
class Pair:
    name: str
    generated: Video
    true: Video
    person: str | None = None  # who is seen, if known


def find_pairs(generated: Path, true: Path, protocol: Protocol | None = None) -> list[Pair]:
    """Videos with the same name in both folders, whatever their suffixes, in order of their names.

    Raises ValueError when a folder has no video, or a generated video has no true one, and as `read_people`.
    """
    protocol = protocol or Protocol()
    made, recorded = _videos(generated), _videos(true)
    if alone := sorted(made.keys() - recorded.keys()):
        raise ValueError(
            f"{len(alone)} generated videos have no true video of the same name in {true}, the first is "
            f"{alone[0]}: rename them, or leave them out"
        )
    people = read_people(protocol.people) if protocol.people else {}
    side = protocol.side
    return [
        Pair(name, Video(made[name], side), Video(recorded[name], side), people.get(name))
        for name in sorted(made)
    ]


def read_people(path: Path) -> dict[str, str]:
    """Who is seen in each clip, of a CSV with the columns name and person. Raises ValueError without them."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"name", "person"} <= set(reader.fieldnames or ()):
            found = ", ".join(reader.fieldnames or ()) or "none"
            raise ValueError(f"{path} needs the columns name and person in its first line, found: {found}")
        return {row["name"]: row["person"] for row in reader}


def _videos(folder: Path) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in KINDS}
    if not found:
        raise ValueError(f"{folder} has no video; looked for files that end in {', '.join(KINDS)}")
    return found
