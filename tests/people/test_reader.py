import numpy as np
import pytest
import torch

from emo_modules.cues.box import iou
from emo_people.drawing.avatars import face_box, render
from emo_people.drawing.face import Expression, Pose
from emo_people.drawing.identity import random_identity
from emo_people.filming.seeds import HELD_OUT
from emo_people.networks.degrade import soften
from emo_people.networks.reader import WEIGHTS, FaceSamples, train_reader
from emo_training.evaluation.metrics import pearson
from emo_training.perception.avatar_reader import (
    AvatarReader,
    crop_mouth,
    load_reader,
    read_frames,
    save_reader,
)

PEOPLE = [HELD_OUT + 70_000 + k for k in range(12)]


@pytest.fixture(scope="module")
def reader():
    torch.set_num_threads(1)
    return load_reader(WEIGHTS)


def pictures(expressions, poses):
    return np.stack(
        [
            render(random_identity(seed), e, p)
            for seed in PEOPLE
            for e, p in zip(expressions, poses, strict=True)
        ]
    )


def test_opening_is_read_off_unseen_faces(reader):
    levels = np.linspace(0, 1, 6)
    frames = pictures([Expression(v, 0.5) for v in levels], [Pose(yaw=6 * v, pitch=-3) for v in levels])
    read = read_frames(reader, frames).mouth_open.numpy().reshape(len(PEOPLE), -1)
    assert min(pearson(row, levels) for row in read) > 0.97
    assert np.abs(read - levels).mean() < 0.08


@pytest.mark.parametrize(("name", "limit"), [("yaw", 14), ("pitch", 10), ("roll", 7)])
def test_pose_is_read_off_unseen_faces(reader, name, limit):
    angles = np.linspace(-limit, limit, 5)
    frames = pictures([Expression(0.3)] * 5, [Pose(**{name: float(a)}) for a in angles])
    read = getattr(read_frames(reader, frames), name).numpy().reshape(len(PEOPLE), -1)
    assert pearson(read.ravel(), np.tile(angles, len(PEOPLE))) > 0.97
    assert np.abs(read - angles).mean() < 0.12 * limit + 0.5


def test_boxes_are_read_off_unseen_faces(reader):
    pose = Pose(yaw=5, pitch=3)
    boxes = read_frames(reader, pictures([Expression()], [pose])).face_box.numpy()
    true = [np.array(face_box(random_identity(seed), pose, 1)) for seed in PEOPLE]
    assert iou(boxes, np.array(true)).mean() > 0.93


def test_identity_survives_acting_and_softness(reader):
    rest = read_frames(reader, pictures([Expression()], [Pose()])).identity
    acted = pictures([Expression(0.8, 0.2, brow=0.5)], [Pose(yaw=9, pitch=-4, roll=3)])
    images = torch.from_numpy(acted).permute(0, 3, 1, 2) / 255
    softened = soften(images, torch.Generator().manual_seed(0))
    assert (reader(softened).identity @ rest.T).argmax(1).tolist() == list(range(len(PEOPLE)))


def test_reading_has_the_ranges_it_names(reader):
    noise = np.random.default_rng(0).integers(0, 256, (5, 128, 128, 3), np.uint8)
    reading = read_frames(reader, noise, batch=2)
    assert all(len(getattr(reading, name)) == 5 for name in ("yaw", "face_box", "identity", "mouth_width"))
    assert reading.mouth_open.min() >= 0 and reading.mouth_open.max() <= 1
    assert torch.allclose(reading.identity.norm(dim=1), torch.ones(5), atol=1e-5)


def test_other_sizes_are_refused(reader):
    with pytest.raises(ValueError, match=r"\(1, 64, 64, 3\): resize"):
        read_frames(reader, np.zeros((1, 64, 64, 3), np.uint8))


def test_mouth_crop_is_the_square_around_the_centre():
    frames = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    crop = crop_mouth(frames, torch.tensor([[64 / 128, 90 / 128]]))
    assert torch.allclose(crop, frames[:, :, 66:114, 40:88], atol=1e-4)


def test_softening_keeps_the_picture_recognisable():
    frames = torch.from_numpy(pictures([Expression()], [Pose()])).permute(0, 3, 1, 2) / 255
    for seed in range(4):
        changed = soften(frames, torch.Generator().manual_seed(seed))
        assert changed.shape == frames.shape and changed.min() >= 0 and changed.max() <= 1
        assert 0 < (changed - frames).square().mean().sqrt() < 0.08


def test_mirrored_views_keep_their_truth(reader):
    pool = FaceSamples.draw(range(2_900_000, 2_900_006), np.random.default_rng(0), lambda line: None)
    generator = torch.Generator().manual_seed(0)
    frames, truth = (
        torch.cat(parts) for parts in zip(*(pool.sample(6, generator) for _ in range(4)), strict=True)
    )
    assert frames.shape == (48, 3, 128, 128) and truth.shape == (48, 11)
    read = reader(frames)
    assert pearson(read.yaw, truth[:, 2]) > 0.97 and pearson(read.roll, truth[:, 4]) > 0.97
    assert (read.face_box - truth[:, 5:9]).abs().mean() < 0.01
    assert (read.mouth_centre - truth[:, 9:]).abs().mean() < 0.01


def test_training_is_repeatable_and_weights_survive_the_file(tmp_path):
    first, second = (train_reader(3, steps=2, identities=6, log=lambda line: None) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    save_reader(first, tmp_path / "reader.safetensors")
    frames = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    again = load_reader(tmp_path / "reader.safetensors")(frames)
    assert torch.allclose(again.yaw, first(frames).yaw, atol=0.1)


def test_the_committed_file_is_small():
    assert WEIGHTS.stat().st_size < 8e6
    assert sum(p.numel() for p in AvatarReader().parameters()) < 3e6
