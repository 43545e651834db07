"""Video files: frames streamed to H.264 with AAC sound, and read back."""

import logging
import math
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
from ..writing.partial import create_partial, leftovers, look_at, named_after, publish, target_of
from ..writing.place import check_file_place
from .audio import Audio, decode_audio, exact_fps, resample, samples_in_frames
from .downmix import to_stereo
from .files import libav_name, open_input
from .growing import frames_in, growing_options, with_index
from .image import to_bytes

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
LAYOUTS = {1: "mono", 2: "stereo"}
SOUND_RATE = 48000  # where AAC does not know the recording's own rate
BT709 = 1  # matrix, primaries and transfer in the H.264 header; players guess by size without it
LIMITED_RANGE = 1
LOUDEST = 2**0.5  # 3 dB above full scale; decoders overshoot by less

_log = logging.getLogger(__name__)


class VideoWriter:
    """Writes frames one by one to an H.264 file (yuv420p) with the given sound, at flat memory.

    The file appears only when the `with` block ends well, and `path` then says where: with `replace`, what
    was there before is replaced; a file that another writer finished in the meantime never is, the next free
    name is taken. Until then it grows as `STEM.TOKEN.partial.SUFFIX` beside it, which plays as far as it got
    even after a kill. An exception leaves the frames so far in `STEM.part.SUFFIX`, unless it is one of
    `cancelled_by` or no Exception, such as KeyboardInterrupt: then nothing is left.

    Odd sizes get one more row or column that repeats the edge. Sound of 1 or 2 channels is written at its
    full length, whatever the video's, unless `end_sound_with_frames` is called. crf is H.264's quality, 1 to
    51; metadata becomes tags of the file.
    Raises ValueError for a name, size, rate or sound that the file cannot hold, and for no frame at all,
    WriteError when the place cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float | Fraction,
        audio: Audio | None = None,
        crf: int = 18,
        metadata: dict[str, str] | None = None,
        *,
        replace: bool = True,
        cancelled_by: tuple[type[Exception], ...] = (),
    ) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"a video needs a size of at least 1x1, got {width}x{height}")
        if not 1 <= crf <= 51:
            raise ValueError(
                f"crf goes from 1, the best, to 51, got {crf}; 0 would be lossless H.264, which browsers and "
                "most players do not show"
            )
        check_file_place(Path(path), SUFFIXES)
        self.path = target_of(Path(path))
        self._shape = (height, width, 3)
        self._fps = exact_fps(fps)
        self._crf = crf
        self._metadata = metadata or {}
        self._audio = None if audio is None else _as_aac(audio)
        self._replace, self._cancelled_by = replace, cancelled_by
        self._frames, self._samples = 0, 0
        self._whole_sound, self._closed = True, False

    def __enter__(self) -> Self:
        with write_errors(self.path):
            for old in leftovers(self.path):
                _log.warning("%s is left from a run that was stopped, or still runs: it can be played", old)
            self._before = look_at(self.path) if self._replace else None
            self._partial = create_partial(self.path, playable=True)
            self._container = av.open(libav_name(self._partial), "w", options=growing_options(self.path))
        self._container.metadata.update(self._metadata)
        self._picture = self._picture_stream()
        if self._audio is not None:
            layout = LAYOUTS[len(self._audio.waveform)]
            self._sound = self._container.add_stream("aac", rate=self._audio.sample_rate, layout=layout)
        return self

    def _picture_stream(self) -> av.VideoStream:
        height, width, _ = self._shape
        stream = self._container.add_stream("libx264", rate=self._fps, options={"crf": str(self._crf)})
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        return stream

    def write(self, frame: Tensor | np.ndarray) -> None:
        """Adds one frame (H, W, 3), uint8 or floats in 0..1. Raises ValueError for another shape."""
        if tuple(frame.shape) != self._shape:
            raise ValueError(f"the video takes frames {self._shape}, got {tuple(frame.shape)}")
        height, width, _ = self._shape
        pixels = np.pad(to_bytes(frame).cpu().numpy(), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.pts, picture.time_base = self._frames, 1 / self._fps
        with write_errors(self.path):
            self._container.mux(self._picture.encode(picture))
        self._frames += 1
        if self._audio is not None:
            # In step with the picture, so that a player finds both close together in the file.
            until = samples_in_frames(self._frames, self._audio.sample_rate, self._fps)
            self._write_sound(self._audio, until)

    def end_sound_with_frames(self) -> None:
        """For a caller that stops early: the sound ends with the last frame, now or after more of them.

        Sound that is shorter than the frames stays as it is. Call it before the `with` block ends.
        """
        self._whole_sound = False

    def _write_sound(self, audio: Audio, until: int | None = None) -> None:
        piece, rate = audio.waveform[:, self._samples : until], audio.sample_rate
        if piece.shape[1] == 0:
            return
        sound = av.AudioFrame.from_ndarray(piece.contiguous().numpy(), "fltp", LAYOUTS[len(piece)])
        sound.sample_rate, sound.pts, sound.time_base = rate, self._samples, Fraction(1, rate)
        with write_errors(self.path):
            self._container.mux(self._sound.encode(sound))
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
            self._partial.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._frames == 0:
            self._container.close()
            raise ValueError(f"no frame was written to {self.path}")
        try:
            with write_errors(self.path):
                if self._audio is not None and self._whole_sound:
                    self._write_sound(self._audio)
                self._close()
                with with_index(self._partial, self._metadata) as whole:
                    asked, self.path = self.path, publish(whole, self.path, self._before)
        except WriteError:
            self._rescue()
            raise
        if self._replace and self.path != asked:
            _log.warning("another run wrote %s in the meantime: this video is %s", asked, self.path)

    def _rescue(self) -> None:
        """Gives what was written before an error a name of its own, if it can be played."""
        with suppress(OSError):  # a full disk takes no more; what it has taken plays
            self._close()
        if frames := frames_in(self._partial):
            kept = publish(self._partial, named_after(self.path, ".part"), None)
            seconds = float(frames / self._fps)
            _log.warning("the %d frames (%.2f s) before the error are kept in %s", frames, seconds, kept)

    def _close(self) -> None:
        """The frames and samples that the encoders still hold, and the file's end; once."""
        if self._closed:
            return
        self._closed = True
        with self._container as container:
            container.mux(self._picture.encode(None))
            if self._audio is not None:
                container.mux(self._sound.encode(None))


def _as_aac(audio: Audio) -> Audio:
    """With an axis of channels. Raises ValueError for sound that AAC in a video does not hold."""
    waveform = audio.waveform if audio.waveform.ndim == 2 else audio.waveform[None]
    if len(waveform) not in LAYOUTS:
        raise ValueError(f"the sound track takes 1 or 2 channels, got {len(waveform)}: mix them down")
    if audio.sample_rate not in AAC_RATES:
        raise ValueError(f"AAC has no sample rate {audio.sample_rate}; resample to one of {AAC_RATES}")
    return replace(audio, waveform=waveform)


def soundtrack(audio: Audio, frames: int, fps: float | Fraction) -> Audio:
    """The sound as a file can hold it beside `frames` frames.

    It is cut or padded to the frames' time; surround is mixed, rates that AAC does not know become 48 kHz.
    A warning says when players will clip it.
    """
    waveform, sample_rate = audio.waveform, audio.sample_rate
    if waveform.ndim == 2:
        waveform = to_stereo(waveform)
    if sample_rate not in AAC_RATES:
        waveform, sample_rate = resample(waveform, sample_rate, SOUND_RATE), SOUND_RATE
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
