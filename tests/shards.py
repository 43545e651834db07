"""Small prepared samples whose pictures say which frame of which sample they are."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from emo_training.footage.shards import Sample, ShardWriter, write_index

SIZE, FRAMES = 64, 30


def level(clip: int, frame: int) -> int:
    """Grey level of a frame."""
    return 20 + 5 * frame + 30 * (clip % 2)


def encode_video(clip: int, frames: int, size: int = SIZE) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4", "threads": "1"})
        stream.width = stream.height = size
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", 12
        for k in range(frames):
            picture = np.full((size, size, 3), level(clip, k), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def encode_sound(clip: int, frames: int) -> bytes:
    out = io.BytesIO()
    noise = 0.1 * np.random.default_rng(clip).standard_normal(frames * 640)
    soundfile.write(out, noise, 16000, format="FLAC")
    return out.getvalue()


def make_sample(
    clip: int, frames: int = FRAMES, sound: bool = True, landmarks: int = 0, **facts: Any
) -> Sample:
    """Clip number `clip`; its head turns at `clip` degrees per second more every frame. Landmarks lie
    anywhere in its face's box and move with it."""
    boxes = np.tile(np.float32([16, 16, 40, 48]), (frames, 1))
    boxes[:, [0, 2]] += np.arange(frames, dtype=np.float32)[:, None] / 4
    arrays = {
        "boxes": boxes,
        "rotations": np.zeros((frames, 3), np.float32),
        "speeds": np.arange(frames, dtype=np.float32) * clip,
    }
    if landmarks == 68:  # as `faces` reads them, which also reads mouths and lids
        arrays["openings"] = np.tile(np.float32([0.2, 0.9, 0.3, 0.3]), (frames, 1))
    points = None
    if landmarks:
        places = np.random.default_rng(clip).random((landmarks, 2), np.float32)
        points = boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2])
    known = {"identity": f"person{clip // 2}", "split": "train", "frames": frames, "size": SIZE, "fps": 25}
    audio = encode_sound(clip, frames) if sound else None
    return Sample(f"clip{clip:03d}", encode_video(clip, frames), audio, arrays, known | facts, points)


def write_shards(folder: Path, clips: int = 6, per_shard: int = 2, **options: Any) -> Path:
    """Shards of `clips` clips to train on, and one more of two clips to test on."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, clips, per_shard):
        with ShardWriter(folder / f"train-{first // per_shard:06d}.tar") as writer:
            for clip in range(first, min(first + per_shard, clips)):
                writer.write(make_sample(clip, **options))
    with ShardWriter(folder / "test-000000.tar") as writer:
        for clip in (clips, clips + 1):
            writer.write(make_sample(clip, split="test", **options))
    write_index(folder, {})
    return folder
