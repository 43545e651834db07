"""Clips come out of shards in one order for every number of processes, and all of a clip is of one time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emo_modules.pipeline import Pipeline
from emo_training.footage.shards import ShardIndex
from emo_training.training.sample_set import Batch, Draw
from emo_training.training.shard_source import ShardSamples, ShardSource

from ..shards import FRAMES, level, write_shards

CLIP = Draw(
    batch=3, frames=4, motion_frames=2, first_clip=0, drop_reference=0, drop_audio=0, drop_both=0,
    whole_region=0, portrait_share=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def index(shards: Path) -> ShardIndex:
    return ShardIndex.load(shards)


@pytest.fixture
def source(index: ShardIndex, tiny_pipeline: Pipeline) -> ShardSource:
    parts = (tiny_pipeline.vae, tiny_pipeline.audio_encoder)
    return ShardSource(index, tiny_pipeline.config, CLIP, 0, *parts, workers=0)


def test_only_clips_of_the_split_are_trained_on(index, shards):
    held_out = ShardIndex.load(shards, "test")
    assert {e.key for e in index.entries} & {e.key for e in held_out.entries} == set()
    assert (len(index.entries), len(held_out.entries)) == (6, 2)


def frames_of(raw, row: int) -> list[int]:
    """Which frames a row's pictures are, by their grey level, and the clip's parity by what is left."""
    grey = raw.pictures[row].float().mean((1, 2, 3))
    return [round((float(g) - 20) / 5) for g in grey]


def test_pictures_boxes_and_speeds_are_of_the_same_frames(index, tiny_config):
    samples = ShardSamples(index, tiny_config, CLIP, 0, sound=True)
    seen = set()
    for number in range(6):
        raw = samples[number]
        for row in range(3):
            key = samples.order[number * 3 + row].key
            clip = int(key[-3:])
            found = frames_of(raw, row)
            offset = 6 * (clip % 2)  # grey levels of odd clips are six frames brighter
            shown = [k - offset for k in found]
            assert shown[2:6] == raw.frames[row].tolist()
            assert np.diff(shown[:6]).tolist() == [1] * 5
            assert shown[6] in set(range(FRAMES)) - set(shown[:6])
            assert raw.speeds[row].tolist() == [clip * k for k in shown[2:6]]
            first, last = shown[2], shown[5]
            expected = torch.tensor([16 + first / 4, 16, 40 + last / 4, 48]) / 64
            assert torch.allclose(raw.union[row], expected)
            assert len(raw.waveforms[row]) == FRAMES * 640
            seen.add((clip, first))
    assert len(seen) > 12


def test_references_may_be_of_another_clip_of_the_person(index, tiny_config):
    samples = ShardSamples(index, tiny_config, replace(CLIP, portrait_share=1.0), 0, sound=True)
    for number in range(8):
        raw = samples[number]
        for row in range(3):
            reference = float(raw.pictures[row, -1].float().mean())
            clip = int(samples.order[number * 3 + row].key[-3:])
            mate = clip - clip % 2 + (1 - clip % 2)
            assert min(abs(reference - level(mate, k)) for k in range(FRAMES)) < 1.5


def test_who_has_one_clip_is_their_own_reference_from_outside_the_window(tmp_path, tiny_config):
    write_shards(tmp_path, clips=1, frames=8)
    one = ShardIndex.load(tmp_path)
    samples = ShardSamples(one, tiny_config, replace(CLIP, portrait_share=1.0), 0, sound=True)
    for number in range(6):
        raw = samples[number]
        for row in range(3):
            *window, reference = frames_of(raw, row)
            assert reference in set(range(8)) - set(window)


def test_the_image_stage_takes_pictures_from_anywhere_and_needs_no_sound(index, tiny_pipeline):
    pictures = replace(CLIP, frames=2, motion_frames=0)
    source = ShardSource(index, tiny_pipeline.config, pictures, 0, tiny_pipeline.vae, None, workers=0)
    raw = source.samples[0]
    assert raw.pictures.shape == (3, 3, 3, 64, 64)
    assert not raw.waveforms[0].numel()
    batch = source.encode(raw)
    assert batch.motion.shape[1] == 0
    assert batch.latents.shape == (3, 2, 4, 8, 8)


def test_microbatches_are_the_same_alone_and_by_workers(source):
    direct = list(source.stream([4, 2]))
    source.workers = 1
    worked = list(source.stream([4, 2]))
    for (ours, first), (theirs, second) in zip(direct, worked, strict=True):
        assert all(torch.equal(*pair) for pair in tensors(ours, theirs))
        assert torch.equal(torch.rand(3, generator=first), torch.rand(3, generator=second))
    assert not torch.equal(direct[0][0].latents, direct[1][0].latents)


def tensors(a: Batch, b: Batch) -> list[tuple[Tensor, Tensor]]:
    names = ("latents", "motion", "reference", "audio", "mask", "speeds", "motion_kept")
    return [(getattr(a, name), getattr(b, name)) for name in names]


def test_sound_is_encoded_as_at_inference(source, tiny_pipeline, index):
    from emo_modules.media.audio import Audio
    from emo_modules.speech.wav2vec2 import context_windows, encode_audio
    from emo_training.footage.decode import decode_sound

    raw = source.samples[1]
    batch = source.encode(raw)
    entry = source.samples.order[3]
    waveform = decode_sound(index.read(entry))
    rows = encode_audio(tiny_pipeline.audio_encoder, Audio(waveform), FRAMES, 25)
    windows = context_windows(rows, tiny_pipeline.config, raw.frames[0])
    assert torch.allclose(batch.audio[0], windows, atol=1e-6)
    latents = tiny_pipeline.vae.encode(raw.pictures[0, 2:6] / 127.5 - 1)
    assert torch.allclose(batch.latents[0], latents, atol=1e-5)


def test_pictures_are_resized_to_the_model(index, tiny_config):
    small = replace(tiny_config, width=32, height=48)
    assert ShardSamples(index, small, CLIP, 0, sound=True)[0].pictures.shape[-2:] == (48, 32)


def test_clips_that_are_too_short_or_silent_are_left_out(index, tiny_config):
    """A clip has to have one frame more than is trained on, for the reference."""
    ShardSamples(index, tiny_config, replace(CLIP, frames=FRAMES - 3), 0, sound=True)
    with pytest.raises(ValueError, match="none of 6 samples has 31 frames and sound"):
        ShardSamples(index, tiny_config, replace(CLIP, frames=FRAMES - 2), 0, sound=True)


@pytest.fixture
def cached(index: ShardIndex, tiny_pipeline: Pipeline, tmp_path: Path) -> ShardSource:
    """Of two processes that shared the work, one."""
    parts = (tiny_pipeline.vae, tiny_pipeline.audio_encoder)
    draw = replace(CLIP, portrait_share=0.5)
    source = ShardSource(index, tiny_pipeline.config, draw, 0, *parts, workers=0)
    for own in (0, 1):
        source.samples.cache = None
        source.use_cache(tmp_path, own, 2)
    return source


def test_a_cache_gives_the_batches_that_encoding_gives(cached, tmp_path, index):
    assert len(list(tmp_path.glob("*/*.safetensors"))) == 2 * len(index.entries)
    found = list(cached.stream([0, 3]))
    cached.samples.cache = None
    for (ours, first), (theirs, second) in zip(found, cached.stream([0, 3]), strict=True):
        for one, two in tensors(ours, theirs):
            assert torch.allclose(one, two, atol=2e-3 * float(two.abs().max()))
        assert torch.equal(torch.rand(3, generator=first), torch.rand(3, generator=second))


def test_what_is_in_the_cache_is_neither_decoded_nor_encoded_again(cached, tmp_path, monkeypatch):
    for name in ("decode_pictures", "decode_sound", "audio_track"):
        monkeypatch.delattr(f"emo_training.training.shard_source.{name}")
    monkeypatch.setattr(cached.vae, "encode", None)
    assert next(cached.stream([1]))[0].latents.shape == (3, 4, 4, 8, 8)
    cached.use_cache(tmp_path)


@pytest.mark.parametrize("part", ["vae", "audio_encoder", "size"])
def test_a_cache_of_another_network_or_size_is_refused(cached, tmp_path, make_pipeline, part):
    if part == "size":
        cached.config = replace(cached.config, width=32)
    else:
        other = getattr(make_pipeline(cached.config), part)
        with torch.no_grad():
            next(other.parameters()).add_(1e-3)
        setattr(cached, part, other)
    what = {"vae": "VAE", "audio_encoder": "speech encoder", "size": "size"}[part]
    kind = "speech" if part == "audio_encoder" else "latents"
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(ValueError, match=f"{kind} was made with another {what}: name another --cache"):
        cached.use_cache(tmp_path)
    assert before == sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
