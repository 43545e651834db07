"""Held-out samples of shards -> true videos, and what a model makes of their first frames and sounds."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import torch
from torch import Tensor

from emo_modules.cues.box import Box
from emo_modules.cues.face import Face, crop_to_face
from emo_modules.media.audio import SAMPLE_RATE, Audio
from emo_modules.media.files import libav_name
from emo_modules.media.video import VideoWriter
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_modules.sampling.decode import decode_frames
from emo_modules.writing.partial import remove_partials, whole_file, write_text

from ..footage.decode import decode_pictures, decode_sound
from ..footage.shards import Sample, SampleEntry, ShardIndex
from .measure import Log

CRF = 10  # H.264 must leave less of a trace than what is measured
SETTINGS = "settings.json"
PEOPLE = "people.csv"


@dataclass(frozen=True)
class Denoising:
    """How the model is run; None takes the checkpoint's default."""

    steps: Annotated[int | None, "default: as the checkpoint says"] = None
    cfg: Annotated[float | None, "default: as the checkpoint says"] = None
    seed: Annotated[int, "of the noise"] = 0


def generate_videos(
    shards: Path,
    out: Path,
    pipeline: Pipeline,
    checkpoint: str,
    denoising: Denoising,
    first: int | None,
    log: Log,
) -> tuple[Path, Path]:
    """Folders of generated and true videos of the `test` split's samples with sound, or the `first` of them.
    Who is seen in which of them goes to PEOPLE.

    Videos that are there already are kept. Raises ValueError when `out` holds videos of other settings, and
    as `ShardIndex.load`.
    """
    made, true = out / "generated", out / "true"
    made.mkdir(parents=True, exist_ok=True)
    true.mkdir(exist_ok=True)
    for folder in (made, true):
        remove_partials(folder)
    _check_settings(out / SETTINGS, {"checkpoint": checkpoint} | asdict(denoising))
    index = ShardIndex.load(shards, "test")
    heard = [entry for entry in index.entries if entry.sound]
    log(f"{len(heard)} of {len(index.entries)} test samples have sound")
    _write_people(out / PEOPLE, heard[:first])
    for k, entry in enumerate(heard[:first]):
        paths = [folder / f"{entry.key}.mp4" for folder in (made, true)]
        if all(path.exists() for path in paths):
            log(f"{entry.key} is there already")
            continue
        sample = index.read(entry)
        write_true(sample, paths[1])
        write_generated(sample, pipeline, denoising, paths[0])
        log(f"generated {k + 1}/{len(heard[:first])}: {entry.key}, {entry.frames} frames")
    return made, true


def _check_settings(path: Path, settings: dict[str, object]) -> None:
    if path.exists() and (before := json.loads(path.read_text())) != settings:
        raise ValueError(
            f"{path.parent} holds videos made with {before}, now asked for {settings}: choose another --out"
        )
    write_text(path, json.dumps(settings))


def _write_people(path: Path, entries: Sequence[SampleEntry]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("name", "person"), *((entry.key, entry.identity) for entry in entries)])
    write_text(path, text.getvalue())


def write_true(sample: Sample, path: Path) -> None:
    """The stored video, its packets as they are, with the sound as AAC."""
    with (
        whole_file(path, playable=True) as partial,
        av.open(io.BytesIO(sample.video), "r") as source,
        av.open(libav_name(partial), "w") as target,
    ):
        stream = source.streams.video[0]
        pictures = target.add_stream_from_template(stream)
        speech = target.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = pictures
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(decode_sound(sample).numpy()[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        target.mux([*speech.encode(frame), *speech.encode(None)])


def write_generated(sample: Sample, pipeline: Pipeline, denoising: Denoising, path: Path) -> None:
    """What the model makes of the sample's first frame, its sound and its mean head speed, if known."""
    config, audio = pipeline.config, Audio(decode_sound(sample))
    speeds = sample.arrays["speeds"]
    speed = float(np.nanmean(speeds)) if np.isfinite(speeds).any() else None
    options = Options(seed=denoising.seed, steps=denoising.steps, cfg=denoising.cfg, head_speed=speed)
    prepared = whole_picture(first_frame(sample), sample.arrays["boxes"][0], config.width, config.height)
    frames = round(sample.facts["frames"] * config.fps / sample.facts["fps"])
    with VideoWriter(path, config.width, config.height, config.fps, audio, crf=CRF) as writer:
        for latents in pipeline.latents(prepared, audio, frames, options):
            for frame in decode_frames(pipeline.vae, latents):
                writer.write(frame)


def first_frame(sample: Sample) -> Tensor:
    """(H, W, 3) in 0..1."""
    return torch.from_numpy(decode_pictures(sample.video, [0])[0]) / 255


def whole_picture(picture: Tensor, face: np.ndarray, width: int, height: int) -> Prepared:
    """All of a prepared sample's picture (H, W, 3): generated and true frames then show the same view."""
    h, w = picture.shape[:2]
    whole = Face(Box(0, 0, w, h), "none")
    shown, crop, _ = crop_to_face(picture, whole, width, height)
    scale = (width / crop.box.width, height / crop.box.height)
    inside = Box(*map(float, face)).mapped(-crop.box.x0, -crop.box.y0, *scale)
    return Prepared(shown, crop, inside, whole)
