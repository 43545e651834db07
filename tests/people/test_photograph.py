"""Cameras: a picture follows from its numbers, and each fault of a camera is the fault it is called."""

from dataclasses import replace

import numpy as np
import pytest

from emo_people.rendering.camera import CODECS, LOOKS, Camera, Look, random_camera, random_look
from emo_people.rendering.photograph import photograph, smeared

SIZE = (64, 80, 3)


def ramp() -> np.ndarray:
    return np.linspace(0, 1.5, 64 * 80 * 3, dtype=np.float32).reshape(SIZE)


def grey(value: float = 0.2) -> np.ndarray:
    return np.full(SIZE, value, np.float32)


def spread(picture: np.ndarray) -> float:
    return float(picture.astype(float).std((0, 1)).mean())


@pytest.mark.parametrize("seed", range(40))
def test_a_picture_follows_from_camera_and_frame(seed: int) -> None:
    camera = random_camera(np.random.default_rng(seed))
    assert camera == random_camera(np.random.default_rng(seed))
    first = photograph(ramp(), camera, 3)
    assert first.shape == SIZE and first.dtype == np.uint8
    assert np.array_equal(first, photograph(ramp(), camera, 3))


def test_noise_changes_from_frame_to_frame_and_nothing_else_does() -> None:
    noisy = Camera(seed=1, read=0.02, grain=0.5)
    first, second = (photograph(grey(), noisy, frame).astype(float) for frame in (0, 1))
    assert np.abs(first - second).mean() > 1
    assert abs(first.mean() - second.mean()) < 1
    assert np.array_equal(photograph(ramp(), Camera(), 0), photograph(ramp(), Camera(), 1))


def test_an_ideal_camera_shows_srgb() -> None:
    picture = photograph(np.broadcast_to(np.float32([0, 0.2140, 0.5]), SIZE), Camera())
    assert picture[0, 0].tolist() == [0, 127, 188]


def test_every_look_and_codec_is_drawn_by_chance() -> None:
    rng = np.random.default_rng(0)
    cameras = [random_camera(rng) for _ in range(400)]
    assert {camera.look.name for camera in cameras} == set(LOOKS)
    assert {camera.codec for camera in cameras} == set(CODECS)


def test_black_and_white_has_no_colour() -> None:
    look = next(
        look for look in (random_look(np.random.default_rng(s)) for s in range(200)) if look.name == "mono"
    )
    picture = photograph(ramp() * np.float32([1, 0.5, 0.2]), Camera(look=look)).astype(int)
    assert np.ptp(picture, axis=-1).max() <= 1


def test_faults_are_what_they_are_called() -> None:
    plain = photograph(grey(), Camera())
    assert photograph(grey(), Camera(exposure=1)).mean() > plain.mean() + 20
    dark = photograph(grey(), Camera(vignette=0.5))
    assert dark[0, 0, 0] < dark[32, 40, 0] - 20
    assert photograph(grey(), Camera(balance=(1.2, 1, 0.8)))[0, 0].argmax() == 0
    assert spread(photograph(grey(), Camera(read=0.02))) > 3 > spread(plain)
    brighter = spread(photograph(grey(0.6), Camera(shot=0.002, look=Look(gamma=2.2))))
    assert brighter > spread(photograph(grey(0.02), Camera(shot=0.002, look=Look(gamma=2.2))))
    flat = photograph(ramp(), Camera(look=Look(contrast=-0.5)))
    assert spread(flat) < spread(photograph(ramp(), Camera()))


@pytest.mark.parametrize("fault", [{"blur": 1.5}, {"detail": 0.4}, {"smoothing": 1.0}])
def test_soft_cameras_lose_fine_detail(fault: dict[str, float]) -> None:
    fine = grey() + 0.03 * np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    assert spread(photograph(fine, replace(Camera(), **fault))) < 0.85 * spread(photograph(fine, Camera()))


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_low_quality_changes_more_than_high(codec: str) -> None:
    picture = photograph(ramp(), Camera()).astype(int)
    off = [np.abs(photograph(ramp(), Camera(codec=codec, quality=q)) - picture).mean() for q in (10, 95)]
    assert off[0] > 1.5 * off[1]


def test_motion_smears_along_its_way_and_keeps_the_light() -> None:
    light = np.zeros(SIZE, np.float32)
    light[:, 40] = 1
    right = np.broadcast_to(np.float32([8, 0]), (64, 80, 2))
    blurred = smeared(light, right, 0.5)
    assert blurred[30, 38:43, 0].min() > 0.1 and blurred[30, 44:].max() == 0
    assert blurred[30].sum() == pytest.approx(light[30].sum(), rel=1e-3)
    assert smeared(light, right, 0) is light


def test_impossible_cameras_are_refused() -> None:
    with pytest.raises(ValueError, match="0.1..1 of the picture's resolution, got 0"):
        Camera(detail=0)
    with pytest.raises(ValueError, match="no codec 'gif'"):
        Camera(codec="gif")
    with pytest.raises(ValueError, match="1..100, got 0"):
        Camera(quality=0)
