"""One source file through all stages: the unit of work of every engine, and its part file."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from emo_modules.writing.errors import FULL_DISK
from emo_modules.writing.partial import write_json

from ..perception.analyzers import FaceAnalyzer, load_analyzer
from . import stages
from .clips import FPS, Clip, Drop, PrepareConfig, Source, run_stages
from .encode import sample_of
from .reading import Pictures, probe
from .shards import Sample, ShardWriter
from .shots import SHOT_FINDERS, track_shots
from .sound import SILENCE, level, read_sound
from .sources import refused, split_of

# What reading a file of any kind may raise, and no more: another error is one of this program.
UNUSABLE = (OSError, ValueError, av.FFmpegError, MemoryError, EOFError, OverflowError)


@dataclass(frozen=True)
class Tools:
    """The networks of the stages, loaded once in a process."""

    analyzer: FaceAnalyzer
    measure_sync: stages.MeasureSync | None = None
    min_confidence: float = 0.0


@lru_cache(maxsize=1)
def load_tools(config: PrepareConfig) -> Tools:
    """Raises ValueError or OSError for weights that are missing or something else."""
    analyzer = load_analyzer(config.analyzer)
    if config.syncnet is None:
        return Tools(analyzer)
    from ..perception.syncnet import Sync, face_crops, load_syncnet, measure_sync

    net = load_syncnet(Path(config.syncnet))

    def measure(frames: np.ndarray, boxes: np.ndarray, waveform: np.ndarray) -> Sync:
        return measure_sync(net, face_crops(frames, boxes, net.config.side), waveform)

    bound = net.config.min_confidence if config.min_confidence is None else config.min_confidence
    return Tools(analyzer, measure, bound)


def prepare_source(
    source: Source, config: PrepareConfig, tools: Tools, folder: Path
) -> Iterator[Sample | Drop]:
    """All clips of one file, and what was dropped of it and why. `folder` holds its sound meanwhile.

    Whatever is wrong with the file becomes a Drop. Raises OSError when the disk is full.
    """
    clip = Clip(source)
    try:
        if refused(source):
            raise ValueError("no consent: says the manifest")
        media = probe(source.path)
        clip = replace(clip, media=media, stop=round(media.seconds * FPS))
        clip = _with_sound(clip, folder) if config.sound and source.sound else clip
        find_cuts = SHOT_FINDERS[config.shots]
        with Pictures(source.path, clip.media) as pictures:
            later = _later_stages(config, tools, pictures)
            for shot in track_shots(clip, tools.analyzer, find_cuts):
                for item in [shot] if isinstance(shot, Drop) else run_stages(shot, later):
                    yield item if isinstance(item, Drop) else sample_of(item, config)
                stop = round(shot.stop * FPS) if isinstance(shot, Drop) else shot.stop
                clip = replace(clip, first=stop)
    except UNUSABLE as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        yield replace(clip, stop=max(clip.first, clip.stop)).drop("read", _reason(error))


def _with_sound(clip: Clip, folder: Path) -> Clip:
    if not clip.media.sound:
        raise ValueError("no sound: the file has no audio stream; --without-sound takes pictures alone")
    sound = read_sound(clip.source.path, clip.media.origin, folder)
    if (loudness := level(sound.samples)) < SILENCE:
        raise ValueError(f"silent: {loudness:.0f} dBFS, at least {SILENCE:.0f}")
    return replace(clip, sound=sound)


def _later_stages(config: PrepareConfig, tools: Tools, pictures: Pictures) -> list[Any]:
    bound = [
        stages.single_face,
        stages.heard,
        partial(stages.segments, config=config),
        stages.loud_enough,
        partial(stages.stable_crop, config=config),
        partial(stages.picture, pictures=pictures, config=config),
        partial(stages.good_quality, config=config),
    ]
    if tools.measure_sync:
        sync = {"measure": tools.measure_sync, "min_confidence": tools.min_confidence}
        bound.append(partial(stages.in_sync, **sync, config=config))
    return bound


def _reason(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "unreadable: permission denied"
    if isinstance(error, MemoryError):
        return "too large: memory ran out"
    if isinstance(error, av.FFmpegError) or not isinstance(error, ValueError):
        return f"corrupt: {error}"
    return str(error)


# Parts


@dataclass(frozen=True)
class Part:
    """What became of one source: the clips in PART.tar with their size there, and the drops."""

    key: str
    source: str
    bytes: int  # of the source: another size means another file
    split: str
    clips: tuple[dict[str, Any], ...] = ()  # key, frames, bytes
    drops: tuple[dict[str, Any], ...] = ()

    @property
    def seconds(self) -> float:
        kept = sum(clip["frames"] for clip in self.clips) / FPS
        return kept + sum(drop["stop"] - drop["start"] for drop in self.drops)


def part_tar(parts: Path, key: str) -> Path:
    return parts / f"{key}.tar"


def part_record(parts: Path, key: str) -> Path:
    return parts / f"{key}.json"


def source_size(source: Source) -> int:
    """Bytes, 0 for what is no file."""
    return os.path.getsize(source.path) if source.path.is_file() else 0


def write_part(source: Source, config: PrepareConfig, parts: Path) -> Part:
    """Prepares one source into `parts`. Its record, written last, says that the part is whole."""
    import cv2
    import torch

    torch.set_num_threads(1)  # one process for each core already
    cv2.setNumThreads(1)
    with ShardWriter(part_tar(parts, source.key)) as tar:
        clips, drops = _written(prepare_source(source, config, load_tools(config), parts), tar)
    split = split_of(source.identity, config.test_share)
    part = Part(source.key, source.name, source_size(source), split, tuple(clips), tuple(drops))
    write_json(part_record(parts, source.key), asdict(part))
    return part


def _written(
    items: Iterable[Sample | Drop], tar: ShardWriter
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    clips, drops = [], []
    for item in items:
        if isinstance(item, Drop):
            drops.append(asdict(item))
        else:
            before = tar.size
            tar.write(item)
            clips.append({"key": item.key, "frames": item.facts["frames"], "bytes": tar.size - before})
    return clips, drops
