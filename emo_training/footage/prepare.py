"""One source file through all stages: the unit of work of every engine, and its part file."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from emo_modules.writing.errors import FULL_DISK
from emo_modules.writing.partial import write_json

from ..perception.analyzers import load_analyzer
from ..perception.face_track import FaceAnalyzer
from ..perception.rates import FPS
from . import stages
from .config import PrepareConfig
from .encode import encode_sample
from .shards import Sample, ShardWriter
from .shots import SHOT_FINDERS, track_shots
from .sound import SILENCE, level, read_sound
from .sources import has_refused
from .spans import CroppedShot, Drop, Media, Shot, Sound, Source, Span, Stage, run_stages
from .video_reader import VideoReader, probe

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
    """All samples of one file, and what was dropped of it and why. `folder` holds its sound meanwhile.

    Whatever is wrong with the file becomes a Drop. Raises OSError when the disk is full.
    """
    done = end = 0  # frames that are accounted for, and those that the file declares
    try:
        if has_refused(source):
            raise ValueError("no consent: says the manifest")
        media = probe(source.path)
        end = round(media.seconds * FPS)
        sound = _read_sound(source, media, folder) if config.sound and source.sound else None
        with VideoReader(source.path, media) as video:
            for shot in track_shots(source, media, sound, tools.analyzer, SHOT_FINDERS[config.shots]):
                if isinstance(shot, Drop):
                    yield shot
                    done = round(shot.stop * FPS)
                    continue
                for item in prepare_shot(shot, config, tools, video):
                    yield item if isinstance(item, Drop) else encode_sample(item, config)
                done = shot.stop
    except UNUSABLE as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        yield Span(source, done, max(done, end)).drop("read", _reason(error))


def _read_sound(source: Source, media: Media, folder: Path) -> Sound:
    if not media.sound:
        raise ValueError("no sound: the file has no audio stream; --without-sound takes pictures alone")
    sound = read_sound(source.path, media.origin, folder)
    if (loudness := level(sound.samples)) < SILENCE:
        raise ValueError(f"silent: {loudness:.0f} dBFS, at least {SILENCE:.0f}")
    return sound


def prepare_shot(
    shot: Shot, config: PrepareConfig, tools: Tools, video: VideoReader
) -> Iterator[CroppedShot | Drop]:
    """What is good of a shot, cropped, checked and with its sound in place."""
    whole: list[Stage[Shot]] = [
        stages.keep_single_face,
        stages.trim_to_sound,
        partial(stages.split_evenly, config=config),
        stages.drop_silent,
        stages.drop_still_lips,
    ]
    cropped: list[Stage[CroppedShot]] = [partial(stages.check_quality, config=config)]
    if tools.measure_sync:
        cropped.append(
            partial(
                stages.align_sound,
                measure=tools.measure_sync,
                min_confidence=tools.min_confidence,
                config=config,
            )
        )
    for part in run_stages(shot, whole):
        crop = part if isinstance(part, Drop) else stages.crop_faces(part, video, config)
        if isinstance(crop, Drop):
            yield crop
        else:
            yield from run_stages(crop, cropped)


def _reason(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "unreadable: permission denied"
    if isinstance(error, MemoryError):
        return "too large: memory ran out"
    if isinstance(error, av.FFmpegError) or not isinstance(error, ValueError):
        return f"corrupt: {error}"
    return str(error)


@dataclass(frozen=True)
class Part:
    """What became of one source: the samples in PART.tar with their size there, and the drops."""

    key: str
    source: str
    bytes: int  # of the source: another size means another file
    identity: str
    clips: tuple[dict[str, Any], ...] = ()  # samples: key, frames, bytes; the name is the file's
    drops: tuple[dict[str, Any], ...] = ()

    @property
    def seconds(self) -> float:
        kept: float = sum(sample["frames"] for sample in self.clips) / FPS
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
    samples: list[dict[str, Any]] = []
    drops: list[dict[str, Any]] = []
    with ShardWriter(part_tar(parts, source.key)) as tar:
        for item in prepare_source(source, config, load_tools(config), parts):
            if isinstance(item, Drop):
                drops.append(asdict(item))
                continue
            before = tar.size
            tar.write(item)
            samples.append({"key": item.key, "frames": item.facts["frames"], "bytes": tar.size - before})
    size, who = source_size(source), source.identity
    part = Part(source.key, source.name, size, who, tuple(samples), tuple(drops))
    write_json(part_record(parts, source.key), asdict(part))
    return part
