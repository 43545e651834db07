"""Films: frames streamed to H.264, VP9, ProRes, GIF or PNG with their sound, and read back."""

import logging
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import torch
from torch import Tensor

from ..writing.errors import WriteError, write_errors
from ..writing.partial import Seen, look_at
from .audio import Audio, decode_audio, exact_fps, resample, samples_in_frames
from .downmix import to_stereo
from .files import open_input
from .formats import H264, Format, check_film, check_live, format_of, sound_beside
from .growing import GrowingFile, GrowingFolder, GrowingStream
from .image import to_bytes
from .live_sound import LiveSound
from .palette import Palette
from .sound_file import LAYOUTS, sound_frame, write_sound

BT709 = 1  # matrix, primaries and transfer in the file's header; players guess by size without it
LIMITED_RANGE = 1
LOUDEST = 2**0.5  # 3 dB above full scale; decoders overshoot by less

_log = logging.getLogger(__name__)


class VideoWriter:
    """Writes frames one by one to a film with the given sound, at flat memory.

    The file appears only when the `with` block ends well, and `path` then says where: with `replace`, what
    was there before is replaced; a file that another writer finished in the meantime never is, the next free
    name is taken. Until then it grows as `STEM.TOKEN.partial.SUFFIX` beside it, which plays as far as it got
    even after a kill. An exception leaves the frames so far in `STEM.part.SUFFIX`, unless it is one of
    `cancelled_by` or no Exception, such as KeyboardInterrupt: then nothing is left.

    `format` is what the suffix means unless it is given: see `formats`. `FOLDER/%05d.png` makes numbered
    pictures; then all of this holds for the folder, which must be new or empty. What holds no sound gets it
    beside, in the file `sound_path`.

    Odd sizes get one more row or column that repeats the edge where the format has even ones alone. Sound of
    1 or 2 channels is written at its full length, whatever the video's, unless `end_sound_with_frames` is
    called. crf is H.264's quality, 1 to 51, brought to the format's own scale; metadata becomes tags.

    Of sound that is still coming it is an MP4 that is watched while it grows, under a new name or, where
    `path` is -, on standard output; what was written stays.

    Raises ValueError for a name, size, rate or sound that the file cannot hold, for an encoder that is not
    there, and for no frame at all, WriteError when the place cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float | Fraction,
        audio: Audio | LiveSound | None = None,
        crf: int = 18,
        metadata: dict[str, str] | None = None,
        *,
        format: Format | None = None,
        replace: bool = True,
        cancelled_by: tuple[type[Exception], ...] = (),
    ) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"a video needs a size of at least 1x1, got {width}x{height}")
        self.path = Path(path)
        self.sound_path: Path | None = None
        self._format = format or format_of(self.path)
        self._fps = exact_fps(fps)
        self._options = self._format.encoder_options(crf)
        self._format.check_fps(self._fps)
        if isinstance(audio, LiveSound):
            check_live(self.path)
        else:
            check_film(self.path, self._format, replace=replace)
        self._shape = (height, width, 3)
        self._metadata = metadata or {}
        self._audio = _as_track(audio, self._format) if isinstance(audio, Audio) else audio
        self._replace, self._cancelled_by = replace, cancelled_by
        self._frames, self._samples = 0, 0
        self._whole_sound, self._closed = True, False

    def __enter__(self) -> Self:
        with write_errors(self.path):
            self._growing = self._begin()
            self.path = self._growing.path
            beside = sound_beside(self.path, self._format)
            self._sound_before = look_at(beside) if self._replace else None
            self._container = self._growing.open()
        self._container.metadata.update(self._metadata)
        self._picture = self._picture_stream()
        self._palette = Palette(self._shape[1], self._shape[0], self._fps) if self._format.palette else None
        self._sound = self._sound_stream()
        return self

    def _begin(self) -> GrowingFile | GrowingFolder | GrowingStream:
        if isinstance(self._audio, LiveSound):
            return GrowingStream(self.path)
        if self._format.numbered:
            return GrowingFolder(self.path)
        return GrowingFile(self.path, replace=self._replace)

    def _picture_stream(self) -> av.VideoStream:
        height, width, _ = self._shape
        stream = self._container.add_stream(self._format.encoder, rate=self._fps, options=self._options)
        assert isinstance(stream, av.VideoStream)  # the type follows from the encoder's name
        stream.width, stream.height = width + self._edge(width), height + self._edge(height)
        stream.pix_fmt = self._format.pixels
        context = stream.codec_context
        if not self._format.yuv:
            context.sample_aspect_ratio = Fraction(1)  # PNG would say 0
        else:
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED_RANGE
        return stream

    def _sound_stream(self) -> av.AudioStream | None:
        if self._audio is None or self._format.sound is None:
            return None
        rate, layout = self._audio.sample_rate, LAYOUTS[self._audio.channels]
        stream = self._container.add_stream(self._format.sound.encoder, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)  # the type follows from the encoder's name
        return stream

    def _edge(self, side: int) -> int:
        return side % 2 if self._format.yuv else 0

    def write(self, frame: Tensor | np.ndarray) -> None:
        """Adds one frame (H, W, 3), uint8 or floats in 0..1. Raises ValueError for another shape."""
        if tuple(frame.shape) != self._shape:
            raise ValueError(f"the video takes frames {self._shape}, got {tuple(frame.shape)}")
        edges = [(0, self._edge(side)) for side in self._shape[:2]]
        pixels = np.pad(to_bytes(frame).cpu().numpy(), (*edges, (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        picture.pts, picture.time_base = self._frames, 1 / self._fps
        with write_errors(self.path):
            self._encode(picture)
        self._frames += 1
        # In step with the picture, so that a player finds both close together in the file.
        self._encode_sound(whole=False)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        for painted in self._painted(picture):
            self._container.mux(self._picture.encode(painted))

    def _painted(self, picture: av.VideoFrame | None) -> Iterable[av.VideoFrame]:
        """The frames that are ready, in the format's pixels; after the last frame comes None."""
        if self._palette:
            return self._palette.paint(picture)
        if picture and self._format.yuv:
            picture = picture.reformat(
                format=self._format.pixels, dst_colorspace="ITU709", dst_color_range="MPEG"
            )
        return [picture] if picture else []

    def end_sound_with_frames(self) -> None:
        """For a caller that stops early: the sound ends with the last frame, now or after more of them.

        Sound that is shorter than the frames stays as it is. Call it before the `with` block ends.
        """
        self._whole_sound = False

    def _encode_sound(self, *, whole: bool) -> None:
        """What is not in the file yet, as far as the frames are or to the end."""
        if self._audio is None or self._sound is None:
            return
        rate = self._audio.sample_rate
        piece = self._audio.between(self._samples, self._end_of_sound(rate, whole))
        if piece.shape[1]:
            with write_errors(self.path):
                self._container.mux(self._sound.encode(sound_frame(piece, self._samples, rate)))
            self._samples += piece.shape[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            elif issubclass(kind, Exception) and not issubclass(kind, self._cancelled_by):
                self._rescue()
            else:
                self._container.close()
        finally:
            self._growing.discard()

    def _finish(self) -> None:
        if self._frames == 0:
            self._container.close()
            raise ValueError(f"no frame was written to {self.path}")
        asked = self.path
        try:
            with write_errors(self.path):
                self._encode_sound(whole=self._whole_sound)
                self._close()
                self._growing.publish(self._metadata)
        except WriteError:
            self._rescue()
            raise
        self.path = self._growing.path
        if self._replace and self.path != asked:
            _log.warning("another run wrote %s in the meantime: this video is %s", asked, self.path)
        self._write_sound_beside(self.path, self._sound_before if self.path == asked else None)

    def _rescue(self) -> None:
        """Gives what was written before an error a name of its own, if it can be played."""
        with suppress(OSError):  # a full disk takes no more; what it has taken plays
            self._close()
        if frames := self._growing.frames():
            kept = self._growing.keep()
            seconds = float(frames / self._fps)
            _log.warning("the %d frames (%.2f s) before the error are kept in %s", frames, seconds, kept)
            self._whole_sound = False
            with suppress(OSError):
                self._write_sound_beside(kept, None)

    def _write_sound_beside(self, film: Path, before: Seen) -> None:
        if isinstance(self._audio, Audio) and self._sound is None:
            until = self._end_of_sound(self._audio.sample_rate, self._whole_sound)
            heard = replace(self._audio, waveform=self._audio.waveform[:, :until])
            self.sound_path = write_sound(sound_beside(film, self._format), heard, before)
            _log.info("the sound is in %s, because %s files hold none", self.sound_path, film.suffix)

    def _end_of_sound(self, rate: int, whole: bool) -> int | None:
        """The sample where it ends with the last frame; None for all of it."""
        return None if whole else samples_in_frames(self._frames, rate, self._fps)

    def _close(self) -> None:
        """The frames and samples that the encoders still hold, and the file's end; once."""
        if self._closed:
            return
        self._closed = True
        with self._container as container:
            self._encode(None)
            container.mux(self._picture.encode(None))
            if self._sound is not None:
                container.mux(self._sound.encode(None))


def _as_track(audio: Audio, format: Format) -> Audio:
    """With an axis of channels. Raises ValueError for sound that the format does not hold."""
    waveform = audio.waveform if audio.waveform.ndim == 2 else audio.waveform[None]
    if len(waveform) not in LAYOUTS:
        raise ValueError(f"the sound track takes 1 or 2 channels, got {len(waveform)}: mix them down")
    if format.sound and format.sound.rate(audio.sample_rate) != audio.sample_rate:
        raise ValueError(
            f"{format.sound.name} has no sample rate {audio.sample_rate}; "
            f"resample to one of {format.sound.rates}"
        )
    return replace(audio, waveform=waveform)


def soundtrack(audio: Audio, frames: int, fps: float | Fraction, format: Format = H264) -> Audio:
    """The sound as a file can hold it beside `frames` frames.

    It is cut or padded to the frames' time; surround is mixed, rates that the format does not know become
    48 kHz. A warning says when players will clip it.
    """
    waveform, sample_rate = audio.waveform, audio.sample_rate
    if waveform.ndim == 2:
        waveform = to_stereo(waveform)
    if format.sound:
        sample_rate = format.sound.rate(audio.sample_rate)
        waveform = resample(waveform, audio.sample_rate, sample_rate)
    peak = max(map(abs, map(float, waveform.aminmax())))
    if peak > LOUDEST:
        _log.warning(
            "the sound peaks %.0f dB above full scale, where players clip it: make it quieter by that much",
            20 * math.log10(peak),
        )
    return Audio(waveform, sample_rate).fit_to_frames(frames, fps)


def read_video(path: str | Path) -> tuple[Tensor, Fraction, Tensor | None, int | None]:
    """Frames (F, H, W, 3) uint8, frames per second, sound (channels, T) float32 and its sample rate.

    The last two are None for a silent video. Everything is held in memory: for clips.
    Raises FileNotFoundError, or ValueError that says what the file holds instead of video.
    """
    path = Path(path)
    size = path.stat().st_size
    try:
        with open_input(path) as container:
            if not container.streams.video:
                kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
                raise ValueError(f"{path} has no video stream, found: {kinds}. Choose a video file.")
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            fps, has_sound = stream.average_rate, bool(container.streams.audio)
    except av.FFmpegError as error:
        raise ValueError(f"{path} ({size} bytes) cannot be read as video: {error.strerror}") from error
    if not frames or not fps:
        raise ValueError(f"{path} has a video stream without frames")
    waveform, sample_rate = decode_audio(path) if has_sound else (None, None)
    return torch.from_numpy(np.stack(frames)), fps, waveform, sample_rate
