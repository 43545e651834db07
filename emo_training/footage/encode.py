"""A finished shot as the bytes of a shard: mp4, flac, arrays and facts."""

import io
from typing import Any

import av
import numpy as np

from ..perception.pose import estimate_speed
from ..perception.rates import FPS, SAMPLE_RATE
from .config import PrepareConfig
from .shards import Sample
from .spans import CroppedShot

BT709 = 1
LIMITED_RANGE = 1


def encode_sample(shot: CroppedShot, config: PrepareConfig) -> Sample:
    """The sample's key counts its first frame, so that keys sort by source and time."""
    arrays = _arrays(shot)
    return Sample(
        key=f"{shot.source.key}-{shot.first:07d}",
        video=encode_mp4(shot.frames, config.crf, config.keyframes),
        audio=None if shot.waveform is None else encode_flac(shot.waveform),
        arrays=arrays,
        facts=_facts(shot, config, arrays["speeds"]),
        landmarks=shot.track.landmarks,
    )


def encode_mp4(frames: np.ndarray, crf: int, keyframes: int) -> bytes:
    """H.264 of (T, H, W, 3) uint8 at 25 fps; the same bytes every time, which takes one thread."""
    packed = io.BytesIO()
    with av.open(packed, "w", format="mp4") as container:
        options = {"crf": str(crf), "g": str(keyframes), "threads": "1"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return packed.getvalue()


def encode_flac(waveform: np.ndarray) -> bytes:
    """16 bit FLAC of mono (S,) float32 at 16 kHz."""
    import soundfile

    packed = io.BytesIO()
    soundfile.write(packed, waveform, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return packed.getvalue()


def _arrays(shot: CroppedShot) -> dict[str, np.ndarray]:
    track = shot.track
    speeds = estimate_speed(track.rotations, FPS)
    arrays = {"boxes": track.boxes, "rotations": track.rotations, "speeds": speeds}
    if track.openings is not None:
        arrays["openings"] = track.openings
    return {name: rows.astype(np.float32) for name, rows in arrays.items()}


def _facts(shot: CroppedShot, config: PrepareConfig, speeds: np.ndarray) -> dict[str, Any]:
    source, sync = shot.source, shot.sync
    known = speeds[np.isfinite(speeds)]
    return {
        "source": source.name,
        "identity": source.identity,
        "licence": source.licence,
        "consent": source.consent,
        "start": shot.start_seconds,
        "stop": shot.stop_seconds,
        "frames": len(shot),
        "fps": FPS,
        "size": config.size,
        "crop": list(shot.crop),
        "analyzer": config.analyzer.split(":")[0],
        "sync": sync
        and {
            "offset": int(sync.offset),
            "confidence": round(float(sync.confidence), 3),
            "distance": round(float(sync.distance), 3),
        },
        "quality": shot.quality,
        "mean_speed": round(float(known.mean()), 3) if len(known) else None,
    }
