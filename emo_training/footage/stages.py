"""The stages between a shot with its face track and a clip ready to be stored, each pure: clip to clips."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from emo_modules.cues.box import iou

from ..perception.analyzers import FaceTrack
from .clips import FPS, SAMPLES, Clip, Drop, PrepareConfig, mapped_track
from .reading import Pictures
from .sound import SILENCE, level

if TYPE_CHECKING:
    from ..perception.syncnet import Sync

BRIDGE = 10  # frames that a detector may lose the face, or see one too many
JUMP = 0.2  # overlap of successive boxes below which it is another face: a cut that was not seen
CUT_OFF = 0.05  # share of the face's box that may lie outside the picture or the crop
SMALLEST_SHARE = 0.2  # of the stored picture's height: a smaller face belongs to a head that wanders
SLOWEST_SOURCE = 15.0  # different pictures per second
FACE_SIDE = 128  # pixels at which sharpness is measured
LOOKS = 12  # frames of a clip whose quality is looked at
DARKEST, BRIGHTEST = 30.0, 225.0  # mean grey of the face, of 255
LEAST_CONTRAST = 12.0  # standard deviation of the face's grey

NONE, ONE, SEVERAL = 0, 1, 2
_REASONS = {NONE: "no face", SEVERAL: "several faces"}

MeasureSync = Callable[[np.ndarray, np.ndarray, np.ndarray], "Sync"]  # frames, boxes, waveform


def single_face(clip: Clip) -> list[Clip | Drop]:
    """Runs of frames that show one face, the same; dropouts of up to BRIDGE frames are interpolated."""
    states = _steady(_states(clip.track))
    found: list[Clip | Drop] = []
    start = 0
    for state, run in groupby(states.tolist()):
        stop = start + len(list(run))
        part = clip.cut(clip.first + start, clip.first + stop)
        if state == ONE:
            found += _without_jumps(replace(part, track=_bridged(part.track)))
        else:
            found.append(part.drop("faces", _REASONS[state]))
        start = stop
    return found


def _states(track: FaceTrack) -> np.ndarray:
    """NONE, ONE or SEVERAL for each frame."""
    seen = np.isfinite(track.boxes).all(axis=1)
    return np.where(track.counts > 1, SEVERAL, np.where(seen, np.minimum(track.counts, 1), NONE))


def _steady(states: np.ndarray) -> np.ndarray:
    """Short lapses between frames with one face become one face; so does a short second face."""
    steady, start = states.copy(), 0
    for state, run in groupby(states.tolist()):
        stop = start + len(list(run))
        inner = start > 0 and stop < len(states)
        if state != ONE and stop - start <= BRIDGE and (inner or state == SEVERAL):
            steady[start:stop] = ONE
        start = stop
    return steady if (states == ONE).any() else states


def _bridged(track: FaceTrack) -> FaceTrack:
    """Boxes of frames without exactly one face are interpolated, and poses that are unknown there."""
    known = (track.counts == 1) & np.isfinite(track.boxes).all(axis=1)
    rotations = track.rotations
    if rotations is not None and np.isfinite(rotations[known]).all():
        rotations = _interpolated(rotations, known)
    return replace(track, boxes=_interpolated(track.boxes, known), rotations=rotations)


def _interpolated(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    times = np.arange(len(rows))
    columns = [np.interp(times, times[known], column[known]) for column in rows.T]
    return np.stack(columns, 1).astype(np.float32)


def _without_jumps(clip: Clip) -> list[Clip]:
    """The clip cut wherever its box jumps."""
    boxes = clip.track.boxes.astype(float)
    jumps = np.flatnonzero(iou(boxes[:-1], boxes[1:]) < JUMP) + 1
    edges = [clip.first, *(clip.first + jumps).tolist(), clip.stop]
    return [clip.cut(a, b) for a, b in zip(edges, edges[1:], strict=False)]


def heard(clip: Clip) -> list[Clip | Drop]:
    """The part of the clip for which the source has sound; all of it when no sound is wanted."""
    if clip.sound is None:
        return [clip]
    first = min(max(clip.first, -(-clip.sound.begin // SAMPLES)), clip.stop)
    # the last frame's sound may lack a little: encoders end where they like
    stop = max(min(clip.stop, -(-clip.sound.end // SAMPLES)), first)
    spans = [(a, b) for a, b in ((clip.first, first), (stop, clip.stop)) if a < b]
    drops = [clip.cut(*span).drop("sound", "no sound: it begins later or ends earlier") for span in spans]
    return [*drops, clip.cut(first, stop)] if first < stop else drops


def segments(clip: Clip, config: PrepareConfig) -> list[Clip | Drop]:
    """Equal pieces between the shortest and the longest allowed."""
    shortest, longest = round(config.min_seconds * FPS), round(config.max_seconds * FPS)
    if len(clip) < shortest:
        reason = f"too short: {len(clip) / FPS:.2f} s, at least {config.min_seconds:g}"
        return [clip.drop("segments", reason)]
    pieces = -(-len(clip) // longest)
    edges = [clip.first + len(clip) * piece // pieces for piece in range(pieces + 1)]
    return [clip.cut(a, b) for a, b in zip(edges, edges[1:], strict=False)]


def loud_enough(clip: Clip) -> list[Clip | Drop]:
    """Drops what is silent."""
    if clip.sound is None:
        return [clip]
    loudness = level(clip.sound.piece(clip.first, clip.stop))
    if loudness < SILENCE:
        return [clip.drop("sound", f"silent: {loudness:.0f} dBFS, at least {SILENCE:.0f}")]
    return [clip]


def stable_crop(clip: Clip, config: PrepareConfig) -> list[Clip | Drop]:
    """One square around all of the clip's face boxes, `crop_factor` times their union, inside the picture."""
    boxes = _smoothed(clip.track.boxes)
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    if height < config.smallest_face:
        reason = f"face too small: {height:.0f} px high, at least {config.smallest_face:g}"
        return [clip.drop("crop", reason)]
    x0, y0, x1, y1 = *boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)
    size = clip.media.width, clip.media.height
    side = min(round(config.crop_factor * max(x1 - x0, y1 - y0)), *size)
    corner = [
        min(max(round(centre - side / 2), 0), edge - side)
        for centre, edge in zip(((x0 + x1) / 2, (y0 + y1) / 2), size, strict=True)
    ]
    crop = (corner[0], corner[1], corner[0] + side, corner[1] + side)
    if _outside(boxes, crop) > CUT_OFF:
        return [clip.drop("crop", "face leaves the picture: no square holds it all the time")]
    if height < SMALLEST_SHARE * side:
        share = f"face is {height / side:.2f} of the crop's height, at least {SMALLEST_SHARE}"
        return [clip.drop("crop", f"head moves too far: {share}")]
    return [replace(clip, crop=crop)]


def _smoothed(boxes: np.ndarray) -> np.ndarray:
    """Median over 5 frames: one wrong box must not widen the crop."""
    from scipy.ndimage import median_filter

    return median_filter(boxes.astype(float), size=(5, 1), mode="nearest")


def _outside(boxes: np.ndarray, crop: tuple[int, int, int, int]) -> float:
    """The largest part of any box's side that lies outside the crop."""
    low = np.maximum(np.array(crop[:2]) - boxes[:, :2], 0)
    high = np.maximum(boxes[:, 2:] - np.array(crop[2:]), 0)
    return float(((low + high) / (boxes[:, 2:] - boxes[:, :2])).max())


def picture(clip: Clip, pictures: Pictures, config: PrepareConfig) -> list[Clip | Drop]:
    """Reads the clip's crop at full quality and its sound; the track becomes pixels of the crop."""
    frames, fresh = pictures.crop(clip.first, clip.stop, clip.crop, config.size)
    rate = fresh * FPS / len(clip)
    if rate < SLOWEST_SOURCE:
        return [clip.drop("picture", f"frame rate too low: {rate:.1f} a second, at least {SLOWEST_SOURCE:g}")]
    scale = config.size / (clip.crop[2] - clip.crop[0])
    return [
        replace(
            clip,
            frames=frames,
            waveform=None if clip.sound is None else clip.sound.piece(clip.first, clip.stop),
            track=mapped_track(clip.track, clip.crop[:2], (scale, scale)),
            quality={"source_fps": round(rate, 2)},
        )
    ]


def in_sync(
    clip: Clip, measure: MeasureSync, min_confidence: float, config: PrepareConfig
) -> list[Clip | Drop]:
    """Moves the sound by the offset that SyncNet hears; drops what is far off or does not match at all."""
    if clip.waveform is None:
        return [clip]
    sync = measure(clip.frames, clip.track.boxes, clip.waveform)
    if sync.confidence < min_confidence:
        reason = f"lips do not match: confidence {sync.confidence:.2f}, at least {min_confidence:g}"
        return [clip.drop("sync", reason)]
    if abs(sync.offset) > config.max_offset:
        reason = f"out of sync: sound {sync.offset} frames late, at most {config.max_offset}"
        return [clip.drop("sync", reason)]
    return _moved(replace(clip, sync=sync), sync.offset, config)


def _moved(clip: Clip, late: int, config: PrepareConfig) -> list[Clip | Drop]:
    """The clip with the source's sound from `late` frames later, cut to where the source has it."""
    first = max(clip.first, -(-clip.sound.begin // SAMPLES) - late)
    stop = min(clip.stop, -(-clip.sound.end // SAMPLES) - late)
    if stop - first < config.min_seconds * FPS:
        return [clip.drop("sync", "too short: once the sound is moved into place")]
    moved = clip.cut(first, stop)
    return [replace(moved, waveform=clip.sound.piece(first + late, stop + late))]


def good_quality(clip: Clip, config: PrepareConfig) -> list[Clip | Drop]:
    """Drops faces that are blurred, nearly black or white, or flat; keeps the figures."""
    looks = np.unique(np.linspace(0, len(clip) - 1, LOOKS).round().astype(int))
    grey = [_grey_face(clip.frames[k], clip.track.boxes[k]) for k in looks]
    figures = {
        "sharpness": float(np.median([_sharpness(face) for face in grey])),
        "brightness": float(np.median([face.mean() for face in grey])),
        "contrast": float(np.median([face.std() for face in grey])),
    }
    clip = replace(clip, quality=clip.quality | {name: round(value, 2) for name, value in figures.items()})
    reasons = list(_faults(figures, config))
    return [clip.drop("quality", reasons[0])] if reasons else [clip]


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
