"""The public network's shape and measure; the small one that comes here is tried in people/test_mouths.py."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_training.perception.syncnet import (
    SyncNet,
    SyncNetConfig,
    face_crops,
    load_syncnet,
    measure_sync,
    save_syncnet,
    sound_windows,
)

SMALL = SyncNetConfig(
    side=64,
    window=56,
    kernel=5,
    strides=(2, 1),
    lip_channels=(4, 4, 4, 4, 4, 8),
    sound_channels=(4, 4, 4, 4, 4, 8),
    hidden=8,
    embedding=16,
)


@pytest.fixture(scope="module")
def small() -> SyncNet:
    """Random weights and norms that keep its points apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = SyncNet(SMALL)
        net.train()
        net.embed_lips(255 * torch.rand(2, 3, 40, 64, 64))
        net.embed_sound(10 * torch.randn(64, 1, 13, 20))
    return net.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def footage() -> tuple[np.ndarray, np.ndarray]:
    """Forty noisy frames and a little more sound than they need."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)
    return crops, (0.1 * rng.standard_normal(40 * 640 + 100)).astype(np.float32)


# --- the public network ---


def test_the_public_shape():
    """S of syncnet_python: 13.6 M parameters, 512 channels in both trunks, 1024 numbers at the end."""
    with torch.device("meta"):
        net = SyncNet()
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert sum(parameter.numel() for parameter in net.parameters()) == 13_631_616
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netcnnaud.4.weight"] == (192, 64, 3, 3)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netfclip.3.weight"] == shapes["netfcaud.3.weight"] == (1024, 512)
    frames = torch.empty(1, 3, 7, 224, 224, device="meta")
    assert net.eval().embed_lips(frames).shape == (1, 3, 1024)


@pytest.mark.parametrize("counters", [True, False])
def test_the_public_file_loads(tmp_path, counters):
    """A pickle older than zip archives, with or without the counters of batch norm."""
    state = {k: v for k, v in SyncNet().state_dict().items() if counters or "num_batches" not in k}
    path = tmp_path / "syncnet_v2.model"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    loaded = load_syncnet(path)
    assert not loaded.training
    assert all(
        torch.equal(value, state[name]) for name, value in loaded.state_dict().items() if name in state
    )


def test_our_files_carry_their_shape(tmp_path, small):
    save_syncnet(small, tmp_path / "small.safetensors")
    loaded = load_syncnet(tmp_path / "small.safetensors")
    assert loaded.config == SMALL
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), small.parameters(), strict=True))


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "an empty file"), (b"<html>", "a web page"), (b"no weights at all", "17 bytes that are no")],
)
def test_files_that_are_none(tmp_path, content, found):
    path = tmp_path / "syncnet_v2.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"syncnet_v2.model: expected SyncNet's .*; found {found}.*Get "):
        load_syncnet(path)


def test_other_weights_are_refused(tmp_path, small):
    torch.save({"decoder.conv_in.weight": torch.zeros(1)}, tmp_path / "vae.pth")
    with pytest.raises(ValueError, match="found an image autoencoder"):
        load_syncnet(tmp_path / "vae.pth")
    torch.save(small.state_dict(), tmp_path / "small.pth")
    with pytest.raises(ValueError, match=r"small.pth does not fit SyncNet; keys: .* of another shape"):
        load_syncnet(tmp_path / "small.pth")
    save_file({"netcnnlip.0.weight": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="found safetensors without 'syncnet' in its metadata"):
        load_syncnet(tmp_path / "bare.safetensors")
    with pytest.raises(FileNotFoundError, match="nothing there"):
        load_syncnet(tmp_path / "missing.model")


def test_code_in_a_pickle_is_not_run(tmp_path):
    path = tmp_path / "evil.model"
    path.write_bytes(b"\x80\x02cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(ValueError, match="which was not run"):
        load_syncnet(path)
    assert not (tmp_path / "ran").exists()


# --- the measure ---


def test_the_measure_is_syncnets(small, footage):
    """Window by window and shift by shift, as the formula is written."""
    crops, waveform = footage
    windows, span = 40 - 5, 15
    lips = [
        small.embed_lips(
            torch.from_numpy(crops[k : k + 5, ..., ::-1].copy()).float().permute(3, 0, 1, 2)[None]
        )
        for k in range(windows)
    ]
    sound = small.embed_sound(torch.from_numpy(sound_windows(waveform, windows)).float())
    nothing = torch.zeros(1, 16)
    means = []
    for shift in range(-span, span + 1):
        there = [sound[k + shift] if 0 <= k + shift < windows else nothing[0] for k in range(windows)]
        means.append(np.mean([float((a[0, 0] - b + 1e-6).norm()) for a, b in zip(lips, there, strict=True)]))
    found = measure_sync(small, crops, waveform, span)
    np.testing.assert_allclose(found.distances, means, rtol=1e-5)
    assert found.offset == np.argmin(means) - span
    assert found.distance == pytest.approx(min(means), rel=1e-5)
    assert found.confidence == pytest.approx(np.median(means) - min(means), abs=1e-5)


def test_silence_and_short_sound(small, footage):
    crops, waveform = footage
    with pytest.raises(ValueError, match="needs 6 frames with sound, got 5"):
        measure_sync(small, crops, waveform[: 5 * 640])
    assert np.isfinite(measure_sync(small, crops, np.zeros_like(waveform)).distances).all()


def test_crops_of_another_size_are_refused(small, footage):
    with pytest.raises(ValueError, match=r"crops are \(T, 64, 64, 3\) here, got \(40, 32, 32, 3\)"):
        measure_sync(small, footage[0][:, ::2, ::2], footage[1])


# --- the crops ---


def test_the_crop_is_the_pipelines_square():
    """Box centre (50, 40), half 10: from (36, 30) to (64, 58), one pixel to one pixel."""
    picture = np.random.default_rng(0).integers(0, 256, (100, 120, 3)).astype(np.uint8)
    (crop,) = face_crops([picture], np.array([[42.0, 30, 58, 50]]), 28)
    np.testing.assert_array_equal(crop, picture[30:58, 36:64])


def test_outside_of_the_picture_is_grey():
    picture = np.full((40, 40, 3), 200, np.uint8)
    (crop,) = face_crops([picture], np.array([[0.0, 0, 20, 20]]), 28)
    assert (crop[:, :4] == 110).all() and (crop[:, 4:] == 200).all()


def test_the_crop_follows_a_moving_face_and_bridges_gaps():
    x = np.arange(60.0)
    frames = [np.zeros((80, 160, 3), np.uint8) for _ in x]
    boxes = np.stack([30 + x, 20 + 0 * x, 50 + x, 40 + 0 * x], 1)
    for k, frame in enumerate(frames):
        frame[28:32, 38 + k : 42 + k] = 255  # in the middle of the box
    boxes[20:25] = np.nan
    boxes[40] = [0, 0, 160, 80]  # a false detection
    crops = face_crops(frames, boxes, 28)
    assert (crops[6:-6, 10:11, 14] > 250).all()
    with pytest.raises(ValueError, match="none of the 60 frames has a face box"):
        face_crops(frames, np.full((60, 4), np.nan), 28)
