"""Lights and backgrounds: every kind is drawn, follows from its numbers, and lies in the range of light."""

import numpy as np
import pytest

from emo_people.rendering import background, lights
from emo_people.rendering.background import Background, draw, random_background
from emo_people.rendering.lights import Lamp, Lights, arrange, random_lights, toward, white
from emo_people.rendering.scene import random_scene


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", lights.KINDS)
def test_every_arrangement_exposes_a_face_that_looks_at_the_camera(kind: str) -> None:
    for seed in range(20):
        light = arrange(kind, rng(seed))
        seen = lights.FACING_WEIGHTS @ light.irradiance(lights.FACING) @ lights.LUMINANCE
        assert 0.65 < seen < 1.05
        assert all(0 <= value < 40 for lamp in light.lamps for value in lamp.colour)


def test_lights_follow_from_the_seed() -> None:
    assert random_lights(rng(3)) == random_lights(rng(3))
    assert len({random_lights(rng(seed)).kind for seed in range(300)}) == len(lights.KINDS)


def test_a_lamp_from_the_viewers_right_lights_the_right() -> None:
    light = Lights("one", (Lamp(toward(90, 0), (1, 1, 1), 0),), ((0, 0, 0),) * 9)
    right, left, camera = light.irradiance(np.array([(1, 0, 0), (-1, 0, 0), (0, 0, 1)]))
    assert right == pytest.approx([1, 1, 1])
    assert left == pytest.approx([0, 0, 0]) and camera == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_warm_black_body_is_redder_and_6500_kelvin_is_white() -> None:
    assert white(6500) == pytest.approx([1, 1, 1])
    assert white(2800)[0] > 1.3 and white(2800)[2] < 0.5 < 1.2 < white(11000)[2]


def test_impossible_lights_are_refused() -> None:
    with pytest.raises(ValueError, match="length 1, got 2"):
        Lamp((0, 0, 2), (1, 1, 1), 0)
    with pytest.raises(ValueError, match="softness lies in 0..1, got 2"):
        Lamp((0, 0, 1), (1, 1, 1), 2)
    with pytest.raises(ValueError, match="at most 3 lamps"):
        Lights("many", (Lamp((0, 0, 1), (1, 1, 1), 0),) * 4, ((0, 0, 0),) * 9)
    with pytest.raises(ValueError, match="no lights of kind 'moon'"):
        arrange("moon", rng())


@pytest.mark.parametrize("kind", background.KINDS)
def test_every_background_is_drawn_from_its_numbers_alone(kind: str) -> None:
    light = arrange("window", rng())
    for seed in range(3):
        behind = Background(kind, seed, 0.02, 6)
        drawn = draw(behind, light, 120, 96)
        assert drawn.shape == (96, 120, 3) and drawn.dtype == np.float32
        assert np.isfinite(drawn).all() and drawn.min() >= 0
        assert np.array_equal(drawn, draw(behind, light, 120, 96))
    assert not np.array_equal(drawn, draw(Background(kind, 7, 0.02), light, 120, 96))


@pytest.mark.parametrize("kind", ["room", "leaves", "brick", "street"])
def test_a_background_is_the_same_at_any_size(kind: str) -> None:
    light = arrange("overcast", rng())
    behind = Background(kind, 5, 0.03)
    small, large = draw(behind, light, 128, 128), draw(behind, light, 384, 384)
    means = large.reshape(128, 3, 128, 3, 3).mean((1, 3))
    assert np.abs(means - small).mean() < 0.04 * means.mean()


def test_walls_are_brighter_where_the_lamp_stands() -> None:
    right, left = (
        Lights("side", (Lamp(toward(angle, 10), (1, 1, 1), 0.5),), ((0.2, 0.2, 0.2), *((0, 0, 0),) * 8))
        for angle in (70, -70)
    )
    first, second = (draw(Background("plaster", 1, 0.02), light, 96, 96) for light in (right, left))
    assert first[:, 64:].mean() / first[:, :32].mean() > 1.2 * second[:, 64:].mean() / second[:, :32].mean()


def test_random_backgrounds_cover_every_kind_and_suit_the_light() -> None:
    dice = rng()
    scenes = [(light, random_background(dice, light)) for light in (random_lights(dice) for _ in range(2500))]
    found = {(behind.kind, light.kind) for light, behind in scenes}
    assert {kind for kind, _ in found} == set(background.KINDS)
    assert not {kind for kind, light in found if light == "sun"} & set(background.INSIDE) - {"wall"}


def test_impossible_backgrounds_are_refused() -> None:
    with pytest.raises(ValueError, match="no background of kind 'moon'"):
        Background("moon", 0, 0)
    with pytest.raises(ValueError, match="0..0.2 heights, got 0.5"):
        Background("room", 0, 0.5)


def test_a_camera_exposes_for_the_face() -> None:
    scene = random_scene(4)
    dark, middle, pale = (scene.camera_for((value,) * 3).exposure for value in (0.05, 0.33, 0.6))
    assert dark > middle + 0.5 > pale + 0.5
    assert middle == pytest.approx(scene.camera.exposure)


def test_a_scene_follows_from_its_seed_and_draws_its_background_once() -> None:
    scene = random_scene(9)
    assert scene == random_scene(9) != random_scene(10)
    assert scene.behind(40, 30) is scene.behind(40, 30)
    assert scene.behind(40, 30).shape == (30, 40, 3)
