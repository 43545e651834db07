"""Films of a face, real enough for a face detector, with whatever fault a test needs."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.ndimage import find_objects, label

from emo_training.perception.analyzers import FaceTrack, largest

SIDE = 288


NOSE = (255, 0, 255)  # a magenta square marks each face, for MarkerAnalyzer
FACE = 0.5  # of the picture's side


@lru_cache
def portrait(person: int = 0, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) uint8; person 1 is the mirror image of person 0 in other light."""
    from skimage import data

    face = cv2.resize(data.astronaut()[:256, 96:352], (side, side), interpolation=cv2.INTER_AREA)
    return face if person == 0 else np.ascontiguousarray(255 - face[:, ::-1, ::-1] // 2)


def talking(
    seconds: float, person: int = 0, side: int = SIDE, fps: float = 25, marked: bool = True
) -> Iterator[np.ndarray]:
    """Pictures of a head that sways a little."""
    picture = portrait(person, side).copy()
    if marked:
        low, high = (round(side * (0.5 + sign * FACE / 8)) for sign in (-1, 1))
        picture[low:high, low:high] = NOSE
    for k in range(round(seconds * fps)):
        phase = k / fps
        right, down = 0.02 * side * np.sin(1.3 * phase), 0.02 * side * np.cos(1.7 * phase)
        turn = np.array([[1.0, 0, right], [0, 1, down]])
        yield cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT)


class MarkerAnalyzer:
    """Sees the magenta squares of `talking`; a face is four times as wide. Its yaw follows the face's x."""

    name = "marker"

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        faces = [_marked(frame) for frame in frames]
        boxes = np.array([largest(found) for found in faces], np.float32).reshape(-1, 4)
        yaw = (boxes[:, 0] + boxes[:, 2]) / 10
        return FaceTrack(
            counts=np.array([len(found) for found in faces], np.int64),
            boxes=boxes,
            rotations=np.stack([yaw, 0 * yaw, 0 * yaw], 1).astype(np.float32),
        )


def _marked(frame: np.ndarray) -> np.ndarray:
    """Boxes (N, 4)."""
    red, green, blue = (frame[..., c].astype(int) for c in range(3))
    labels, _ = label((red > 160) & (green < 90) & (blue > 160))
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in find_objects(labels)]
    squares = np.array([box for box in boxes if box[2] - box[0] >= 6], float).reshape(-1, 4)
    centre, half = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]) * 2
    return np.concatenate([centre - half, centre + half], 1)


def beside(left: Iterable[np.ndarray], right: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    return (np.concatenate(pair, axis=1) for pair in zip(left, right, strict=True))


def nobody(seconds: float, side: int = SIDE) -> Iterator[np.ndarray]:
    waves = np.sin(np.arange(side) / 20)
    for k in range(round(seconds * 25)):
        grey = (110 + 60 * np.outer(waves, np.roll(waves, k))).astype(np.uint8)
        yield np.repeat(grey[..., None], 3, axis=2)


def speech(seconds: float, rate: int = 48000, seed: int = 0) -> np.ndarray:
    """Noise (S,) float32 in syllables."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    return (0.1 * rng.standard_normal(len(times)) * (0.6 + 0.4 * np.sin(20 * times))).astype(np.float32)


def write_film(
    path: Path,
    pictures: Iterable[np.ndarray],
    sound: np.ndarray | None = None,
    *,
    rate: int = 48000,
    fps: int = 25,
    times: Sequence[float] | None = None,
    sound_start: float = 0.0,
    picture_start: float = 0.0,
    rotation: int = 0,
    subtitles: bool = False,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    layout: str = "mono",
) -> Path:
    """times: each picture's own, in seconds, instead of fps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = audio = None
        for k, pixel_rows in enumerate(pictures):
            if video is None:
                video = _picture_stream(container, pixel_rows, codec, fps, pixels, rotation)
                audio = None if sound is None else container.add_stream("aac", rate=rate, layout=layout)
                if subtitles:
                    with av.open(str(_write_lines(path))) as lines:
                        text = container.add_stream_from_template(lines.streams.subtitles[0])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixel_rows), format="rgb24")
            seconds = picture_start + (k / fps if times is None else times[k])
            frame.pts, frame.time_base = round(seconds * 12800), Fraction(1, 12800)
            container.mux(video.encode(frame.reformat(format=pixels)))
        container.mux(video.encode(None))
        if audio is not None:
            _write_sound(container, audio, sound, rate, sound_start, layout)
        if subtitles:
            _copy_subtitle(container, text, path.with_suffix(".srt"))
    return path


def _picture_stream(container, picture, codec, fps, pixels, rotation):
    options = {"preset": "ultrafast", "crf": "14", "g": "25"} if codec == "libx264" else {}
    stream = container.add_stream(codec, rate=fps, options=options)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt, stream.time_base = pixels, Fraction(1, 12800)
    stream.codec_context.time_base = Fraction(1, 12800)
    if rotation:
        stream.set_display_rotation(rotation)
    return stream


def _write_sound(container, stream, sound, rate, start, layout):
    channels = 2 if layout == "stereo" else 1
    frame = av.AudioFrame.from_ndarray(np.tile(sound, (channels, 1)), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(start * rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_lines(path: Path) -> Path:
    lines = path.with_suffix(".srt")
    lines.write_text("1\n00:00:00,100 --> 00:00:00,900\nhello\n\n")
    return lines


def _copy_subtitle(container, stream, lines: Path) -> None:
    with av.open(str(lines)) as source:
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    lines.unlink()
