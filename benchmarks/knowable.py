"""How much of a performance nobody can know who has its portrait, its sound and its speed.

    python -m benchmarks.knowable

acts one sentence for each of some people with several seeds of the dice, draws the frames, encodes them with
the demo's VAE and prints one JSON line. `unknowable` is the variance of the latents between the dice, below
which no model's mean squared error can get, `portrait` the error of showing the portrait instead, and
`latents` the variance of the latents themselves.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emo_modules.checkpoints.store import DEMO_CHECKPOINT, load_checkpoint
from emo_modules.checkpoints.vae import VAE
from emo_modules.media.image import to_signed
from emo_people.acting.face import Expression, Pose
from emo_people.acting.performance import Performance, perform
from emo_people.filming.seeds import HELD_OUT
from emo_people.filming.speakers import FPS, speak
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import Studio
from emo_people.speech.synthesis import SAMPLE_RATE, Speech

FIRST = HELD_OUT + 700_000
SPEEDS = (3.0, 6.0, 12.0, 18.0, 24.0, 32.0)  # degrees per second, one person after the other
FRAMING = {"face": 0.62, "y": 0.47}


@dataclass(frozen=True)
class Take:
    """One person and sentence, acted with each seed of the dice."""

    portrait: np.ndarray  # (H, W, 3) uint8
    films: np.ndarray  # (D, F, H, W, 3) uint8
    poses: np.ndarray  # (D, F, 3) degrees


def film(speeches: list[Speech], dice: int, size: int, every: int) -> Iterator[Take]:
    studio, framing = Studio(), Framing(size, size, **FRAMING)
    for number, speech in enumerate(speeches):
        person, frames = random_person(FIRST + number), round(len(speech.waveform) * FPS / SAMPLE_RATE)
        rng = np.random.default_rng(FIRST + number)
        start = Pose(*rng.uniform(-1, 1, 3) * [12, 7, 4])
        mood = Expression.of(gaze=(-start.yaw, -start.pitch))
        speed = SPEEDS[number % len(SPEEDS)]
        takes = [perform(speech, frames, FPS, speed, start, roll, mood) for roll in range(dice)]
        films = [
            [
                studio.photograph(person, take.expression(k), take.pose(k), framing, k)
                for k in range(0, frames, every)
            ]
            for take in takes
        ]
        yield Take(studio.photograph(person, mood, start, framing), np.array(films), poses_of(takes))


def poses_of(takes: list[Performance]) -> np.ndarray:
    """(D, F, 3) in degrees."""
    return np.array([np.stack([take.yaw, take.pitch, take.roll], 1) for take in takes])


@torch.no_grad()
def encode(vae: VAE, pictures: np.ndarray) -> Tensor:
    """Latents (..., C, h, w) of pictures (..., H, W, 3)."""
    flat = torch.from_numpy(pictures.reshape(-1, *pictures.shape[-3:]))
    latents = torch.cat([vae.encode(to_signed(part)) for part in flat.split(32)])
    return latents.reshape(*pictures.shape[:-3], *latents.shape[1:])


def measure(takes: Iterator[Take], vae: VAE) -> dict[str, object]:
    """Means over the people, and each person's in a list."""
    rows = []
    for take in takes:
        latents = encode(vae, take.films)
        portrait = encode(vae, take.portrait[None])
        rows.append(
            {
                "unknowable": float(latents.var(0, unbiased=True).mean()),
                "portrait": float((latents - portrait).square().mean()),
                "latents": float(latents.var()),
                "pixels": float(take.films.astype(np.float32).std(0, ddof=1).mean()),
                "pose": float(take.poses.std(0, ddof=1).mean()),
            }
        )
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}
    return means | {"people": [{name: round(value, 4) for name, value in row.items()} for row in rows]}


def main(arguments: list[str] | None = None) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--dice", type=int, default=6, help="seeds for each person")
    parser.add_argument("--size", type=int, default=256, help="px")
    parser.add_argument("--every", type=int, default=5, help="only every such frame is drawn")
    options = parser.parse_args(arguments)
    vae = load_checkpoint(DEMO_CHECKPOINT, "cpu", torch.float32).vae
    assert vae is not None  # the demo has one
    # All is said before anything is drawn: see emo_people/rendering/stage.py.
    speeches = [speak(FIRST + number, 1, held_out=False) for number in range(options.people)]
    takes = film(speeches, options.dice, options.size, options.every)
    json.dump({"size": options.size} | measure(takes, vae), sys.stdout)
    print()


if __name__ == "__main__":
    main()
