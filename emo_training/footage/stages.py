"""The stages between a shot with its face track and one ready to be stored: each turns a shot into shots or
drops, and has no other effect."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np

from emo_modules.cues.box import iou

from ..perception.face_track import FaceTrack
from ..perception.rates import FPS
from .config import PrepareConfig
from .sound import SILENCE, level
from .spans import CroppedShot, Drop, Shot, Square
from .video_reader import VideoReader

if TYPE_CHECKING:
    from ..perception.syncnet import Sync

BRIDGE = 10  # frames that a detector may lose the face, or see one too many
JUMP = 0.2  # overlap of successive boxes below which it is another face: a cut that was not seen
CUT_OFF = 0.05  # share of the face's box that may lie outside the picture or the crop
SMALLEST_SHARE = 0.2  # of the stored picture's height: a smaller face belongs to a head that wanders
SLOWEST_SOURCE = 15.0  # different pictures per second
FACE_SIDE = 128  # pixels at which sharpness is measured
LOOKS = 12  # frames of a shot whose quality is looked at
DARKEST, BRIGHTEST = 30.0, 225.0  # mean grey of the face, of 255
LEAST_CONTRAST = 12.0  # standard deviation of the face's grey
# Of `lip_motion`. Photographs, zoomed and moved in film grain, read up to 0.016, people who talk 0.057 on.
STILL_LIPS = 0.025

NONE, ONE, SEVERAL = 0, 1, 2
_REASONS = {NONE: "no face", SEVERAL: "several faces"}

MeasureSync = Callable[[np.ndarray, np.ndarray, np.ndarray], "Sync"]  # frames, boxes, waveform


def keep_single_face(shot: Shot) -> list[Shot | Drop]:
    """Runs of frames that show one face, the same; dropouts of up to BRIDGE frames are interpolated."""
    states = _bridge_states(_count_faces(shot.track))
    found: list[Shot | Drop] = []
    start = 0
    for state, run in groupby(states.tolist()):
        stop = start + len(list(run))
        part = shot.cut(shot.first + start, shot.first + stop)
        if state == ONE:
            found += _split_at_jumps(replace(part, track=_bridge_track(part.track)))
        else:
            found.append(part.drop("faces", _REASONS[state]))
        start = stop
    return found


def _count_faces(track: FaceTrack) -> np.ndarray:
    """NONE, ONE or SEVERAL for each frame."""
    seen = np.isfinite(track.boxes).all(axis=1)
    return np.where(track.counts > 1, SEVERAL, np.where(seen, np.minimum(track.counts, 1), NONE))


def _bridge_states(states: np.ndarray) -> np.ndarray:
    """Short lapses between frames with one face become one face; so does a short second face."""
    steady, start = states.copy(), 0
    for state, run in groupby(states.tolist()):
        stop = start + len(list(run))
        inner = start > 0 and stop < len(states)
        if state != ONE and stop - start <= BRIDGE and (inner or state == SEVERAL):
            steady[start:stop] = ONE
        start = stop
    return steady if (states == ONE).any() else states


def _bridge_track(track: FaceTrack) -> FaceTrack:
    """Boxes of frames without exactly one face are interpolated, and poses that are unknown there."""
    known = (track.counts == 1) & np.isfinite(track.boxes).all(axis=1)
    rotations = track.rotations
    if np.isfinite(rotations[known]).all():
        rotations = _interpolate(rotations, known)
    return replace(track, boxes=_interpolate(track.boxes, known), rotations=rotations)


def _interpolate(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    times = np.arange(len(rows))
    columns = [np.interp(times, times[known], column[known]) for column in rows.T]
    return np.stack(columns, 1).astype(np.float32)


def _split_at_jumps(shot: Shot) -> list[Shot]:
    boxes = shot.track.boxes.astype(float)
    jumps = np.flatnonzero(iou(boxes[:-1], boxes[1:]) < JUMP) + 1
    edges = [shot.first, *(shot.first + jumps).tolist(), shot.stop]
    return [shot.cut(a, b) for a, b in pairwise(edges)]


def trim_to_sound(shot: Shot) -> list[Shot | Drop]:
    """The part of the shot for which the source has sound; all of it when no sound is wanted."""
    if shot.sound is None:
        return [shot]
    begin, end = shot.sound.frames()
    first = min(max(shot.first, begin), shot.stop)
    stop = max(min(shot.stop, end), first)
    mute = [(a, b) for a, b in ((shot.first, first), (stop, shot.stop)) if a < b]
    found: list[Shot | Drop] = [
        shot.cut(*span).drop("sound", "no sound: it begins later or ends earlier") for span in mute
    ]
    return [*found, shot.cut(first, stop)] if first < stop else found


def split_evenly(shot: Shot, config: PrepareConfig) -> list[Shot | Drop]:
    """Equal parts between the shortest and the longest allowed."""
    shortest, longest = round(config.min_seconds * FPS), round(config.max_seconds * FPS)
    if len(shot) < shortest:
        reason = f"too short: {len(shot) / FPS:.2f} s, at least {config.min_seconds:g}"
        return [shot.drop("segments", reason)]
    parts = -(-len(shot) // longest)
    edges = [shot.first + len(shot) * part // parts for part in range(parts + 1)]
    return [shot.cut(a, b) for a, b in pairwise(edges)]


def drop_silent(shot: Shot) -> list[Shot | Drop]:
    if shot.sound is None:
        return [shot]
    loudness = level(shot.sound.waveform(shot.first, shot.stop))
    if loudness < SILENCE:
        return [shot.drop("sound", f"silent: {loudness:.0f} dBFS, at least {SILENCE:.0f}")]
    return [shot]


def drop_still_lips(shot: Shot) -> list[Shot | Drop]:
    """Drops a shot in which nobody is seen to speak: a photograph, also a moved one, a voice from elsewhere.

    Without sound, and where the analyser reads no mouth, nothing is known of it.
    """
    if shot.sound is None or shot.track.openings is None:
        return [shot]
    if (motion := lip_motion(shot.track.openings[:, 0])) < STILL_LIPS:
        return [shot.drop("lips", f"lips do not move: opening varies by {motion:.3f}, at least {STILL_LIPS}")]
    return [shot]


def lip_motion(opening: np.ndarray) -> float:
    """How far a mouth's opening (T,), over the inter-ocular distance, goes, but for 5 % at both ends."""
    low, high = np.nanpercentile(opening, (5, 95))
    return float(high - low)


def choose_crop(shot: Shot, config: PrepareConfig) -> Square | Drop:
    """One square around all of the shot's face boxes, `crop_factor` times their union, inside the picture."""
    from scipy.ndimage import median_filter

    # over 5 frames: one wrong box must not widen the crop
    boxes = median_filter(shot.track.boxes.astype(float), size=(5, 1), mode="nearest")
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    if height < config.smallest_face:
        reason = f"face too small: {height:.0f} px high, at least {config.smallest_face:g}"
        return shot.drop("crop", reason)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    size = shot.media.width, shot.media.height
    side = min(round(config.crop_factor * max(high - low)), *size)
    x, y = (
        min(max(round(centre - side / 2), 0), edge - side)
        for centre, edge in zip((low + high) / 2, size, strict=True)
    )
    crop = (x, y, x + side, y + side)
    if _outside(boxes, crop) > CUT_OFF:
        return shot.drop("crop", "face leaves the picture: no square holds it all the time")
    if height < SMALLEST_SHARE * side:
        share = f"face is {height / side:.2f} of the crop's height, at least {SMALLEST_SHARE}"
        return shot.drop("crop", f"head moves too far: {share}")
    return crop


def _outside(boxes: np.ndarray, crop: Square) -> float:
    """The largest part of any box's side that lies outside the crop."""
    low = np.maximum(np.array(crop[:2]) - boxes[:, :2], 0)
    high = np.maximum(boxes[:, 2:] - np.array(crop[2:]), 0)
    return float(((low + high) / (boxes[:, 2:] - boxes[:, :2])).max())


def crop_faces(shot: Shot, video: VideoReader, config: PrepareConfig) -> CroppedShot | Drop:
    """Reads the shot's crop at full quality and its sound; the track becomes pixels of the crop."""
    crop = choose_crop(shot, config)
    if isinstance(crop, Drop):
        return crop
    frames, fresh = video.crop(shot.first, shot.stop, crop, config.size)
    rate = fresh * FPS / len(shot)
    if rate < SLOWEST_SOURCE:
        return shot.drop("picture", f"frame rate too low: {rate:.1f} a second, at least {SLOWEST_SOURCE:g}")
    scale = config.size / (crop[2] - crop[0])
    return CroppedShot(
        shot.source,
        shot.first,
        shot.stop,
        shot.media,
        shot.sound,
        shot.track.map(crop[:2], (scale, scale)),
        crop,
        frames,
        None if shot.sound is None else shot.sound.waveform(shot.first, shot.stop),
        quality={"source_fps": round(rate, 2)},
    )


def align_sound(
    shot: CroppedShot, measure: MeasureSync, min_confidence: float, config: PrepareConfig
) -> list[CroppedShot | Drop]:
    """Moves the sound by the offset that SyncNet hears; drops what is far off or does not match at all."""
    if shot.sound is None or shot.waveform is None:
        return [shot]
    sync = measure(shot.frames, shot.track.boxes, shot.waveform)
    late = sync.offset
    if sync.confidence < min_confidence:
        reason = f"lips do not match: confidence {sync.confidence:.2f}, at least {min_confidence:g}"
        return [shot.drop("sync", reason)]
    if abs(late) > config.max_offset:
        reason = f"out of sync: sound {late} frames late, at most {config.max_offset}"
        return [shot.drop("sync", reason)]
    # the source's sound from `late` frames later, where the source has it
    begin, end = shot.sound.frames()
    first, stop = max(shot.first, begin - late), min(shot.stop, end - late)
    if stop - first < config.min_seconds * FPS:
        return [shot.drop("sync", "too short: once the sound is moved into place")]
    waveform = shot.sound.waveform(first + late, stop + late)
    return [replace(shot.cut(first, stop), sync=sync, waveform=waveform)]


def check_quality(shot: CroppedShot, config: PrepareConfig) -> list[CroppedShot | Drop]:
    """Drops faces that are blurred, nearly black or white, or flat; keeps the figures."""
    looks = np.unique(np.linspace(0, len(shot) - 1, LOOKS).round().astype(int))
    grey = [_grey_face(shot.frames[k], shot.track.boxes[k]) for k in looks]
    figures = {
        "sharpness": float(np.median([_sharpness(face) for face in grey])),
        "brightness": float(np.median([face.mean() for face in grey])),
        "contrast": float(np.median([face.std() for face in grey])),
    }
    for reason in _faults(figures, config):
        return [shot.drop("quality", reason)]
    rounded = {name: round(value, 2) for name, value in figures.items()}
    return [replace(shot, quality=shot.quality | rounded)]


def _faults(figures: dict[str, float], config: PrepareConfig) -> Iterator[str]:
    sharpness, brightness, contrast = (figures[name] for name in ("sharpness", "brightness", "contrast"))
    if not DARKEST <= brightness <= BRIGHTEST:
        yield f"badly exposed: mean grey {brightness:.0f}, {DARKEST:.0f} to {BRIGHTEST:.0f}"
    if contrast < LEAST_CONTRAST:
        yield f"flat: contrast {contrast:.1f}, at least {LEAST_CONTRAST:.0f}"
    if sharpness < config.min_sharpness:
        yield f"blurred: sharpness {sharpness:.1f}, at least {config.min_sharpness:g}"


def _grey_face(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The face (FACE_SIDE, FACE_SIDE) in grey, 0..255."""
    import cv2

    x0, y0, x1, y1 = np.rint(np.clip(box, 0, frame.shape[0])).astype(int)
    face = cv2.cvtColor(frame[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    return cv2.resize(face, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian."""
    import cv2

    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
