"""How fast people are rendered, and how well displacements move a portrait to a frame. Prints one JSON line.

The displacement's figure is the PSNR between the frame and the portrait moved by it, wherever both show the
same skin, before the camera's noise; a head turns by up to 15, 10 and 8 degrees between the two. In even
light the same skin has the same colour; in a person's own the shading changes with the turn.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from emo_people.acting.face import Expression, Pose
from emo_people.networks.pool_pictures import random_expression, random_pose
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.lights import Lights
from emo_people.rendering.scene import random_scene
from emo_people.rendering.studio import Studio

TURN = (15.0, 10.0, 8.0)  # degrees of yaw, pitch, roll between the two pictures of a pair, the most
EVEN = Lights("even", (), ((0.8, 0.8, 0.8), *[(0.0, 0.0, 0.0)] * 8))
CLIPS, CLIP_FRAMES = 4000, 28
FIRST = 500_000  # seeds of the people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    studio = Studio()
    framing = Framing(options.side, options.side, 0.6, 0.5, 0.5)
    pairs = np.array([pair(studio, framing, seed) for seed in range(options.pairs)])
    moved, unmoved, moved_lit, _, hidden = pairs.T
    quality = {
        "pairs": options.pairs,
        "moved_db": round(float(np.median(moved)), 1),
        "moved_db_lowest_tenth": round(float(np.quantile(moved, 0.1)), 1),
        "share_at_30_db": round(float((moved >= 30).mean()), 3),
        "moved_db_in_own_light": round(float(np.median(moved_lit)), 1),
        "not_moved_db": round(float(np.median(unmoved)), 1),
        "hidden": round(float(hidden.mean()), 3),
    }
    print(
        json.dumps({"renderer": studio.stage.context.info["GL_RENDERER"]} | rate(studio, framing) | quality)
    )


def rate(studio: Studio, framing: Framing, people: int = 20, frames: int = 10) -> dict[str, float]:
    """Processor seconds of a picture, of what is told of it, and of the built-in model's clips."""
    rng = np.random.default_rng(0)
    moments = [(random_expression(rng), random_pose(rng)) for _ in range(frames)]
    spent = dict.fromkeys(("person", "picture", "truth", "regions", "displacement"), 0.0)

    def timed(name: str, draw: Callable[..., object], *arguments: object) -> None:
        start = time.process_time()
        draw(*arguments, framing)
        spent[name] += time.process_time() - start

    for seed in range(people):
        person = random_person(FIRST + seed)
        timed("person", studio.photograph, person, *moments[0])
        for moment in moments:
            timed("picture", studio.photograph, person, *moment)
            timed("truth", studio.truth, person, *moment)
            timed("regions", studio.regions, person, *moment)
            timed("displacement", studio.displacement, person, moments[0], moment)
    each = {name: seconds / people / (1 if name == "person" else frames) for name, seconds in spent.items()}
    frame = sum(each.values()) - each["person"]
    figures = {f"{name}_seconds": round(seconds, 3) for name, seconds in each.items()}
    return figures | {
        "pictures_per_second_and_core": round(1 / each["picture"], 1),
        "hours_of_one_core_for_the_clips": round(CLIPS * (each["person"] + CLIP_FRAMES * frame) / 3600, 1),
    }


def pair(studio: Studio, framing: Framing, seed: int) -> tuple[float, ...]:
    """PSNR of the moved portrait and of the portrait as it is, in even light and in the person's own, and the
    share that the portrait does not show."""
    rng = np.random.default_rng(seed)
    person = random_person(FIRST + seed)
    start = Pose(*(rng.normal(0, 1, 3) * (12, 6, 4)).tolist())
    turn = rng.uniform(-1, 1, 3) * TURN
    end = Pose(start.yaw + turn[0], start.pitch + turn[1], start.roll + turn[2], *rng.uniform(-0.05, 0.05, 2))
    first, second = (Expression.of(), start), (random_expression(rng), end)
    back = studio.displacement(person, first, second, framing)
    seen = studio.regions(person, *second, framing)
    skin = (seen.face | seen.lips) & ~back.hidden
    figures = []
    for lights in (EVEN, random_scene(person.seed).lights):
        portrait, frame = (
            studio.draw(person, *moment, framing, lights)[..., :3].clip(0, 1) ** (1 / 2.2)
            for moment in (first, second)
        )
        figures += [psnr(move(portrait, back.field), frame, skin), psnr(portrait, frame, skin)]
    return *figures, float(back.hidden.mean())


def move(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) with each pixel taken from where the field (H, W, 2) leads, in px."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width] + 0.5
    grid = np.stack([(columns + field[..., 0]) * 2 / width - 1, (rows + field[..., 1]) * 2 / height - 1], -1)
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    at = torch.from_numpy(grid)[None].to(planes)
    return F.grid_sample(planes, at, align_corners=False, padding_mode="border")[0].permute(1, 2, 0).numpy()


def psnr(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(-10 * np.log10(((one - other) ** 2)[where].mean()))


if __name__ == "__main__":
    main()
