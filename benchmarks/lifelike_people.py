"""Renders people at random, alone and speaking, for benchmarks.lifelike to show to MediaPipe.

    python -m benchmarks.lifelike_people --out DIR --people 500 --clips 20

Pictures look ahead or up to 30 degrees aside; films speak a sentence. Beside each lies what is true of it.
The people are none of those that networks learn from. Needs OpenGL, and espeak-ng or flite for the films.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.seeing.truths import save_truth
from emo_people.acting.face import Pose
from emo_people.filming.take import Direction, rehearse, write_take
from emo_people.networks.pool_pictures import random_expression
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import Studio
from emo_people.speech.utterances import utterance

FIRST = 3_000_000_000  # seeds of these people: from here on
TURNS = np.array([30.0, 15.0, 10.0])  # yaw, pitch, roll in degrees, the most
FACES = (0.3, 0.7)  # of the picture's height
SPEAKERS = 500_000  # between the people of pictures and those of films
SPEEDS = (0.0, 20.0)  # of heads, degrees a second


def random_pose(rng: np.random.Generator) -> Pose:
    return Pose(*(TURNS * rng.uniform(-1, 1, 3)).tolist())


def photograph(studio: Studio, folder: Path, number: int, side: int) -> None:
    rng = np.random.default_rng([FIRST, number])
    person, pose, expression = random_person(FIRST + number), random_pose(rng), random_expression(rng)
    face = float(rng.uniform(*FACES))
    x, y = (0.5 + (1 - face) * rng.uniform(-0.3, 0.3, 2)).tolist()
    framing = Framing(side, side, face, x, y)
    path = folder / f"person-{number:04d}.png"
    Image.fromarray(studio.photograph(person, expression, pose, framing)).save(path)
    save_truth(path, studio.truth(person, expression, pose, framing))


def photograph_headless(studio: Studio, folder: Path, number: int, side: int) -> None:
    """A scene, and of the person at most what is below the head, which is above the picture."""
    rng = np.random.default_rng([FIRST, number, 2])
    face = float(rng.uniform(*FACES))
    framing = Framing(side, side, face, float(rng.uniform(0, 1)), -float(rng.uniform(0.65, 1.0)) * face)
    person = random_person(FIRST + 2 * SPEAKERS + number)
    picture = studio.photograph(person, random_expression(rng), random_pose(rng), framing)
    Image.fromarray(picture).save(folder / f"headless-{number:04d}.png")


def direct(number: int, side: int) -> Direction:
    """Somebody who says a sentence in a language and voice that nothing was trained on."""
    rng = np.random.default_rng([FIRST, number, 1])
    said = utterance(FIRST + number, held_out=True)
    yaw, pitch, _ = (TURNS / 2 * rng.uniform(-1, 1, 3)).tolist()
    speed = float(rng.uniform(*SPEEDS))
    seed = FIRST + SPEAKERS + number
    return Direction(seed, said.text, said.voice, (side, side), 0.5, head_speed=speed, yaw=yaw, pitch=pitch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=500, help="pictures, one person each (default 500)")
    parser.add_argument("--clips", type=int, default=20, help="films (default 20)")
    parser.add_argument("--headless", type=int, default=0, help="pictures without a head (default 0)")
    parser.add_argument("--side", type=int, default=512, help="px (default 512)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    directions = [direct(number, options.side) for number in range(options.clips)]
    takes = [rehearse(direction) for direction in directions]  # before there is OpenGL in this process
    studio, start = Studio(), time.perf_counter()
    for number in range(options.people):
        photograph(studio, options.out, number, options.side)
    seconds = time.perf_counter() - start
    for number in range(options.headless):
        photograph_headless(studio, options.out, number, options.side)
    for number, (direction, take) in enumerate(zip(directions, takes, strict=True)):
        print(f"clip {number}: {take.frames} frames", file=sys.stderr)
        write_take(options.out / f"clip-{number:02d}", direction, take, studio)
    pace = round(seconds / options.people, 3) if options.people else None
    print(json.dumps({"people": options.people, "clips": options.clips, "seconds_a_picture": pace}))


if __name__ == "__main__":
    main()
