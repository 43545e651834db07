"""Films that can be played while they are written, and the finished ones that they are made into.

Both kinds are used alike: `open` a container to write to, then either `publish` it or `keep` what there is
under a name of its own; `discard` removes what neither took. All raise OSError.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..writing.partial import (
    create_partial,
    create_partial_folder,
    fitting,
    leftovers,
    look_at,
    named_after,
    publish,
    publish_folder,
    target_of,
)
from .files import STANDARD, libav_name

FRAGMENTED = (".mp4", ".m4v", ".mov")  # other containers can be played as they grow
FRAGMENT = 1_000_000  # microseconds of video that a kill may cost
# Every frame is a fragment, written once the next one comes, and no stream waits for packets of the other.
# libav's own frag_every_frame counts time wrongly (FFmpeg 8).
STREAMING = {
    "movflags": "+frag_keyframe+delay_moov+default_base_moof",
    "frag_duration": "1",
    "flush_packets": "1",
    "max_interleave_delta": "1",
}

_log = logging.getLogger(__name__)


class GrowingFile:
    """One file, which grows as `STEM.TOKEN.partial.SUFFIX`; `path` says where it goes, or went.

    With `replace` it takes the place of the file that is there now, but of no other.
    """

    def __init__(self, path: Path, *, replace: bool) -> None:
        self.path = target_of(path)
        _name_leftovers(self.path)
        self._before = look_at(self.path) if replace else None
        self._partial = create_partial(self.path, playable=True)

    def open(self) -> av.container.OutputContainer:
        return av.open(libav_name(self._partial), "w", options=growing_options(self.path))

    def publish(self, metadata: dict[str, str]) -> None:
        with with_index(self._partial, self.path, metadata) as whole:
            self.path = publish(whole, self.path, self._before)

    def frames(self) -> int:
        return frames_in(self._partial)

    def keep(self) -> Path:
        return publish(self._partial, named_after(self.path, ".part"), None)

    def discard(self) -> None:
        self._partial.unlink(missing_ok=True)


class GrowingFolder:
    """Numbered pictures, which grow in `FOLDER.TOKEN.partial`; `path` is FOLDER/PATTERN.png.

    Each of them, and then the folder, gets its name when it is complete. Nothing is replaced but an empty
    folder.
    """

    def __init__(self, path: Path) -> None:
        self._folder, self._pattern = target_of(path.parent), path.name
        _name_leftovers(self._folder)
        self._partial = create_partial_folder(self._folder)

    @property
    def path(self) -> Path:
        return self._folder / self._pattern

    def open(self) -> av.container.OutputContainer:
        name = Path(libav_name(self._partial).replace("%", "%%"), self._pattern)
        return av.open(str(name), "w", format="image2", options={"atomic_writing": "1"})

    def publish(self, metadata: dict[str, str]) -> None:
        """The tags go into the first picture, where ComfyUI looks for them in those that it saves."""
        _add_tags(self._pictures()[0], metadata)
        self._folder = publish_folder(self._partial, self._folder)

    def _pictures(self) -> list[Path]:
        return sorted(self._partial.glob(f"*{Path(self._pattern).suffix}"))

    def frames(self) -> int:
        return len(self._pictures())

    def keep(self) -> Path:
        for cut_off in self._partial.glob("*.tmp"):
            cut_off.unlink()
        kept = self._folder.with_name(fitting(self._folder.name, ".part"))
        return publish_folder(self._partial, kept) / self._pattern

    def discard(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)


class GrowingStream:
    """An MP4 that is watched while it is made, under its own name or, where `path` is -, on standard output.
    What was written stays."""

    def __init__(self, path: Path) -> None:
        self.path, self._made = path, False

    def open(self) -> av.container.OutputContainer:
        """Raises FileExistsError: a film takes another's place once it is complete, and this one would at its
        first frame."""
        if self.path == STANDARD:
            return av.open("pipe:1", "w", format="mp4", options=STREAMING)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(exist_ok=False)
        self._made = True
        return av.open(libav_name(self.path), "w", format="mp4", options=STREAMING)

    def publish(self, metadata: dict[str, str]) -> None:
        """It is there."""

    def frames(self) -> int:
        return 0 if self.path == STANDARD else frames_in(self.path)

    def keep(self) -> Path:
        return self.path

    def discard(self) -> None:
        """But what nobody can have seen anything of: it would be in the way of the next try."""
        if self._made and not self.frames():
            self.path.unlink(missing_ok=True)


def _name_leftovers(path: Path) -> None:
    for old in leftovers(path):
        _log.warning("%s is left from a run that was stopped, or still runs: it can be played", old)


def _add_tags(picture: Path, metadata: dict[str, str]) -> None:
    if not metadata:
        return
    tags = PngInfo()
    for name, text in metadata.items():
        tags.add_text(name, text)
    with Image.open(picture) as first:
        first.save(picture, "PNG", pnginfo=tags)


def growing_options(path: Path) -> dict[str, str]:
    """For the muxer: MP4 in fragments, each of which can be played; the others are written so anyhow."""
    if path.suffix.lower() not in FRAGMENTED:
        return {}
    # delay_moov: the header waits for the sound's first packet, which knows the encoder's padding
    flags = "+frag_keyframe+delay_moov+default_base_moof+use_metadata_tags"
    return {"movflags": flags, "frag_duration": str(FRAGMENT)}


@contextmanager
def with_index(grown: Path, path: Path, metadata: dict[str, str]) -> Iterator[Path]:
    """The same packets with one index in front, as players and ComfyUI's page want them; another partial of
    `path`.

    It vanishes with the block unless it was moved. Raises OSError when it cannot be written.
    """
    if grown.suffix.lower() not in FRAGMENTED:
        yield grown
        return
    whole = create_partial(path, playable=True)
    try:
        _copy_packets(grown, whole, metadata)
        yield whole
    finally:
        whole.unlink(missing_ok=True)


def _copy_packets(grown: Path, whole: Path, metadata: dict[str, str]) -> None:
    options = {"movflags": "+faststart+use_metadata_tags"}
    with (
        av.open(libav_name(grown)) as source,
        av.open(libav_name(whole), "w", options=options) as target,
    ):
        target.metadata.update(metadata)
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def frames_in(path: Path) -> int:
    """How many frames can be read before the end, or before a full disk cut it off; 0 for no video at all."""
    count = 0
    with suppress(av.FFmpegError, IndexError), av.open(libav_name(path)) as container:
        for packet in container.demux(video=0):
            count += packet.size > 0 and not packet.is_corrupt
    return count
