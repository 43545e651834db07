"""Files as libav opens them: by a name that cannot be taken for an address, and no others from there."""

from pathlib import Path

import av

STANDARD = Path("-")  # input or output


def libav_name(path: str | Path) -> str:
    """The absolute path: of a relative one, libav takes what stands before a colon for a protocol."""
    return str(Path(path).absolute())


def open_input(path: str | Path, **options: str) -> av.container.InputContainer:
    """Opens a sound or video file to read. Playlists may name other files, but nothing on a network.

    Raises av.FFmpegError, which says what is wrong in `strerror`.
    """
    # tags in another alphabet than UTF-8 are no reason to refuse a recording
    return av.open(
        libav_name(path), options={"protocol_whitelist": "file"} | options, metadata_errors="replace"
    )
