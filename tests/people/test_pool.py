import numpy as np
import pytest

from emo_people.acting.face import INDEX
from emo_people.networks.pool import BACKGROUNDS, FIELDS, Pool, read_backgrounds, read_faceless, write_shard
from emo_people.networks.pool_pictures import random_expression


def rows(people: list[int]) -> dict[str, np.ndarray]:
    arrays = {name: np.zeros((len(people), *shape), kind) for name, (shape, kind) in FIELDS.items()}
    return arrays | {"person": np.array(people)}


def test_shards_are_read_back_as_one_pool(tmp_path):
    write_shard(tmp_path, 0, rows([1, 2]) | {"mouth_open": np.array([0.25, 0.5])})
    write_shard(tmp_path, 1, rows([3]))
    pool = Pool.read(tmp_path)
    assert len(pool) == 3 and pool.person.tolist() == [1, 2, 3]
    assert pool.mouth_open.tolist() == [0.25, 0.5, 0.0] and pool.mouth_open.dtype == np.float32


def test_nobody_is_trained_on_and_checked_with(tmp_path):
    write_shard(tmp_path, 0, rows([7, 9, 9, 10, 19]))
    train, check = Pool.read(tmp_path).split()
    assert train.person.tolist() == [7, 10] and check.person.tolist() == [9, 9, 19]
    assert train.picture.shape == (2, 256, 256, 3)


def test_a_shard_with_a_wrong_or_missing_part_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"box of shard 4 is \(1, 5\): give \(1, 4\)"):
        write_shard(tmp_path, 4, rows([1]) | {"box": np.zeros((1, 5))})
    whole = rows([1])
    del whole["pose"]
    with pytest.raises(ValueError, match=r"pose of shard 4 is nothing: give \(1, 3\)"):
        write_shard(tmp_path, 4, whole)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_told_what_it_lacks(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no people"):
        Pool.read(tmp_path)
    assert read_backgrounds(tmp_path).shape == (0, 256, 256, 3)
    np.savez(tmp_path / BACKGROUNDS, picture=np.ones((2, 256, 256, 3), np.uint8))
    assert read_backgrounds(tmp_path).shape == (2, 256, 256, 3)


def test_mouths_are_closed_speak_and_show_their_teeth():
    rng = np.random.default_rng(0)
    actions = np.array([random_expression(rng).actions for _ in range(300)])
    strength = {name: actions[:, INDEX[name]] for name in ("jawOpen", "mouthLowerDownLeft", "mouthSmileLeft")}
    bared = (strength["mouthLowerDownLeft"] > 0.3) & (strength["jawOpen"] < 0.3)
    assert bared.mean() > 0.15 and (bared & (strength["mouthSmileLeft"] > 0.4)).mean() > 0.05
    assert (strength["jawOpen"] < 0.03).mean() > 0.2 and (strength["jawOpen"] > 0.4).mean() > 0.05


def test_people_without_a_face_are_read_back_with_their_numbers(tmp_path):
    assert [part.shape for part in read_faceless(tmp_path)] == [(0, 256, 256, 4), (0,)]
    for shard, numbers in enumerate(([0, 1], [2])):
        pictures = np.full((len(numbers), 256, 256, 4), shard, np.uint8)
        np.savez(tmp_path / f"faceless-{shard:05d}.npz", picture=pictures, number=np.array(numbers))
    pictures, numbers = read_faceless(tmp_path)
    assert numbers.tolist() == [0, 1, 2] and pictures[:, 0, 0, 3].tolist() == [0, 0, 1]
