"""Shards are plain tars, the same bytes for the same clips, and any clip is read without the others."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_training.footage.decode import decode_pictures, decode_sound
from emo_training.footage.shards import (
    INDEX,
    LANDMARKS,
    SPEED_BIN,
    Sample,
    SampleEntry,
    ShardIndex,
    ShardWriter,
    index_path,
    read_sample,
    read_samples,
    scan_shard,
    write_index,
)

from ..shards import FRAMES, level, make_sample, write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return write_shards(tmp_path_factory.mktemp("shards"), clips=4)


def test_samples_come_back_as_they_were_written(shards):
    samples = list(read_samples(shards / "train-000000.tar"))
    assert [sample.key for sample in samples] == ["clip000", "clip001"]
    for clip, sample in enumerate(samples):
        made = make_sample(clip)
        assert (sample.video, sample.audio, sample.facts) == (made.video, made.audio, made.facts)
        assert all(np.array_equal(sample.arrays[name], made.arrays[name]) for name in made.arrays)


def test_the_same_clips_make_the_same_bytes(shards, tmp_path):
    again = write_shards(tmp_path, clips=4)
    for path in sorted(shards.iterdir()):
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_one_clip_is_read_by_its_place(shards):
    entry = ShardIndex.load(shards).entries[3]
    read = read_sample(shards, entry)
    assert (entry.key, entry.shard, entry.identity, entry.frames) == (
        "clip003", "train-000001.tar", "person1", FRAMES,
    )  # fmt: skip
    assert read.video == make_sample(3).video


def with_landmarks(size: float = 512.0) -> Sample:
    """Points all over a picture of that size, and a frame in which nothing was found."""
    points = np.random.default_rng(5).uniform(0, size, (FRAMES, 478, 2)).astype(np.float32)
    points[3] = np.nan
    return replace(make_sample(0), landmarks=points)


def write_one(folder: Path, sample: Sample) -> SampleEntry:
    with ShardWriter(folder / "train-000000.tar") as writer:
        writer.write(sample)
    write_index(folder, {})
    return ShardIndex.load(folder).entries[0]


def test_landmarks_are_off_by_an_eighth_of_a_pixel_at_most(tmp_path):
    sample = with_landmarks()
    read = read_sample(tmp_path, write_one(tmp_path, sample), landmarks=True).landmarks
    assert read.dtype == np.float32 and np.isnan(read[3]).all()
    off = np.abs(np.delete(read - sample.landmarks, 3, axis=0))
    assert 0 < off.max() <= 512 / 4096


def test_landmarks_are_read_where_they_are_asked_for_and_nowhere_else(tmp_path):
    sample = with_landmarks()
    entry = write_one(tmp_path, sample)
    start, size = entry.places[LANDMARKS]
    assert size < 0.5 * sample.landmarks.nbytes
    path = tmp_path / entry.shard
    spoilt = bytearray(path.read_bytes())
    spoilt[start : start + size] = bytes(size)
    path.write_bytes(spoilt)
    read = ShardIndex.load(tmp_path).read(entry)
    assert read.landmarks is None and read.video == sample.video
    with pytest.raises(ValueError, match="pickle|zip"):
        ShardIndex.load(tmp_path).read(entry, landmarks=True)


def test_shards_that_have_landmarks_among_their_arrays_are_read_too(tmp_path):
    old = with_landmarks()
    arrays = old.arrays | {"landmarks": old.landmarks}
    entry = write_one(tmp_path, replace(old, arrays=arrays, landmarks=None))
    read = read_sample(tmp_path, entry, landmarks=True)
    assert np.array_equal(read.landmarks, old.landmarks, equal_nan=True)
    assert read.arrays.keys() == old.arrays.keys()


def test_the_index_counts_speeds(shards):
    counts = ShardIndex.load(shards).speeds
    expected = np.concatenate([np.arange(FRAMES) * clip for clip in range(4)])
    assert counts.sum() == 4 * FRAMES
    assert counts[0] == (expected < SPEED_BIN).sum()
    assert counts[int(58 / SPEED_BIN)] == (expected == 58).sum()
    unknown = make_sample(9)
    unknown.arrays["speeds"][:] = np.nan
    with ShardWriter(shards / "train-000009.tar") as writer:
        writer.write(unknown)
    write_index(shards, {})
    assert ShardIndex.load(shards).speeds.sum() == 4 * FRAMES
    for path in (shards / "train-000009.tar", index_path(shards / "train-000009.tar")):
        path.unlink()
    write_index(shards, {})


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path / "train-000000.tar") as writer:
        writer.write(make_sample(0))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_clips_without_sound_are_known_as_such(tmp_path):
    write_shards(tmp_path, clips=1, sound=False)
    (entry,) = ShardIndex.load(tmp_path).entries
    assert not entry.sound
    assert read_sample(tmp_path, entry).audio is None


@pytest.mark.parametrize("keep", [0.3, 0.6])
def test_shards_cut_short_are_refused(shards, tmp_path, keep):
    whole = (shards / "train-000000.tar").read_bytes()
    cut = tmp_path / "train-000000.tar"
    cut.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(ValueError, match=r"train-000000\.tar.*(prepare|copy)"):
        list(read_samples(cut))
    entry = replace(scan_shard(shards / "train-000000.tar")[1])
    with pytest.raises(ValueError, match=r"ends before clip001\.\w+: expected \d+ bytes, found \d+"):
        read_sample(tmp_path, entry)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "train-000000.tar"
    path.write_text("<html>")
    with pytest.raises(ValueError, match="no whole WebDataset shard"):
        scan_shard(path)
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("clip.mp4")
        tar.addfile(info)
    with pytest.raises(ValueError, match="sample clip lacks mp4, npz or json"):
        scan_shard(path)


def test_a_folder_without_an_index_is_refused(tmp_path, shards):
    with pytest.raises(ValueError, match=f"has no {INDEX}"):
        ShardIndex.load(tmp_path)
    with pytest.raises(ValueError, match="no sample of the split 'validation' in its 3 shards"):
        ShardIndex.load(shards, "validation")


def test_frames_are_found_by_number():
    video = make_sample(0).video
    wanted = [5, 6, 29, 3, 0, 17, 17]
    grey = decode_pictures(video, wanted).mean((1, 2, 3))
    assert np.abs(grey - [level(0, k) for k in wanted]).max() < 1.5
    with pytest.raises(ValueError, match="has no frame 30"):
        decode_pictures(video, [1, FRAMES])


def test_sound_is_as_long_as_the_picture():
    sample = make_sample(0)
    assert decode_sound(sample).shape == (FRAMES * 640,)
    with pytest.raises(ValueError, match="has no sound"):
        decode_sound(replace(sample, audio=None))
