"""Video files that can be played while they are written, and the finished files that they are made into."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av

from ..writing.partial import create_partial
from .files import libav_name

FRAGMENT = 1_000_000  # microseconds of video that a kill may cost


def growing_options(path: Path) -> dict[str, str]:
    """For the muxer: MP4 in fragments, each of which can be played; Matroska is written that way anyhow."""
    if path.suffix.lower() == ".mkv":
        return {}
    # delay_moov: the header waits for the sound's first packet, which knows the encoder's padding
    flags = "+frag_keyframe+delay_moov+default_base_moof+use_metadata_tags"
    return {"movflags": flags, "frag_duration": str(FRAGMENT)}


@contextmanager
def with_index(grown: Path, metadata: dict[str, str]) -> Iterator[Path]:
    """The same packets with one index in front, as players and ComfyUI's page want them; a file of its own.

    It vanishes with the block unless it was moved. Raises OSError when it cannot be written.
    """
    if grown.suffix.lower() == ".mkv":
        yield grown
        return
    whole = create_partial(grown, playable=True)
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
