"""Clips that the built-in model trains on: a portrait, frames of the same person speaking, and for every
frame where its places are in the portrait.

`rehearse` speaks and acts, `film` draws: what the first returns can be drawn by another process or elsewhere.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from emo_modules.speech.wav2vec2 import standardize

from ..acting.eyes import random_blink_times
from ..acting.face import INDEX, Expression, Pose
from ..acting.performance import Performance, perform
from ..people.person import random_person
from ..rendering.context import drawing_processes
from ..rendering.framing import Framing
from ..rendering.scene import Scene, random_scene
from ..speech.alphabet import PHONEMES
from ..speech.synthesis import FEATURE_RATE, SAMPLE_RATE, Speech, phoneme_frames
from .clip_files import Clip, write_clip
from .seeds import HELD_OUT
from .speakers import FPS, alter, between_silences, random_head_speed, random_mood, random_pose, speak

if TYPE_CHECKING:
    from ..rendering.studio import Studio
    from ..rendering.truth import Displacement

SIDE, FIELD_SIDE, CELLS = 256, 64, 32  # px of a picture; places of a displacement and of what is hidden
FRAMES, MARGIN = 24, 14  # that are shown; that are heard before and after them
FASTEST = 30.0  # degrees per second
SUNG = 0.2  # share of the performances
FACE = (0.42, 1.05)  # height over the picture's
OFF_CENTRE = (0.15, 0.12)  # of the picture, the most, to the side and up or down
INSIDE = (0.39, 0.5)  # of the height, half the width and height of a face's box
CUT = 0.1  # of the face's height that may stick out of the picture where the middle is moved
CAMERA = (8.0, 25.0)  # dm away
OFF = 0.08  # of a channel's range by which a moved portrait may be off where it shows the place
FILES = "clip-{:07d}.safetensors"


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """All of a clip but what is drawn: who (the seed), the portrait, the frames that are shown (of which the
    first is number `start`), and what is heard."""

    seed: int
    framing: Framing
    portrait: tuple[Expression, Pose]
    performance: Performance
    start: int
    head_speed: float
    waveform: np.ndarray
    phonemes: np.ndarray


def render_clips(folder: Path, seeds: range, workers: int = 1) -> None:
    """Writes a file for each seed; those that are there already are left alone."""
    paths = {seed: folder / FILES.format(seed) for seed in seeds}
    missing = {seed: path for seed, path in paths.items() if not path.exists()}
    # Speech starts processes, which must not fork from one that holds a GL context: others draw.
    with ProcessPoolExecutor(1, get_context("spawn")) as speakers, drawing_processes(workers) as artists:
        list(artists.map(_write, missing.values(), speakers.map(rehearse, missing)))


def _write(path: Path, rehearsal: Rehearsal) -> None:
    from ..rendering.studio import own_studio

    write_clip(path, film(own_studio(), rehearsal))


def rehearse(seed: int) -> Rehearsal:
    """Between silences, in which noise and music go on. From HELD_OUT on with voices, sentences and languages
    that are not trained on.

    Raises FileNotFoundError when a synthesizer is not installed.
    """
    rng = np.random.default_rng([seed, 0])
    speech = between_silences(speak(seed, FRAMES, held_out=seed >= HELD_OUT), rng)
    speech = alter(speech, rng, SUNG)
    pose = random_pose(rng, (12, 6, 4), 35)
    portrait, mood = random_faces(rng, pose)
    head_speed = random_head_speed(rng, FASTEST)
    frames = max(FRAMES, int(len(speech.waveform) * FPS / SAMPLE_RATE))
    # Lids that always fell with the same sounds would be learned from these, and not from the motion code.
    lids = random_blink_times(np.random.default_rng([seed, 2]), frames / FPS)
    performance = perform(speech, frames, FPS, head_speed, pose, seed, mood, lids)
    start = random_start(frames, rng)
    shown = _part(performance, slice(start, start + FRAMES))
    framing = random_framing(rng)
    return Rehearsal(seed, framing, (portrait, pose), shown, start, head_speed, *heard(speech, start))


def random_start(frames: int, rng: np.random.Generator) -> int:
    """The number of a clip's first frame among so many: two in five are a performance's first frames, one in
    five its last, where lips must come to rest."""
    first, last, anywhere = 0, frames - FRAMES, int(rng.integers(frames - FRAMES + 1))
    return int(rng.choice([first, last, anywhere], p=[0.4, 0.2, 0.4]))


def random_faces(rng: np.random.Generator, pose: Pose) -> tuple[Expression, Expression]:
    """The portrait's face and the one that lasts through the speech: a mouth that is a little open in the
    portrait is shut before the first sound, and a look aside may come back."""
    lasting = random_mood(rng)
    raised = rng.uniform(0, 0.7) * (rng.random() < 0.2)
    lasting |= dict.fromkeys(("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), raised)
    at_camera = float(np.clip(-pose.yaw, -25, 25)), float(np.clip(-pose.pitch, -15, 15))
    gaze = at_camera if rng.random() < 0.75 else (0.0, 0.0)
    opening = rng.uniform(0.03, 0.25) * (rng.random() < 0.35)
    across, down = rng.normal(0, 1, 2) * (10, 5) * (rng.random() < 0.25)
    portrait = Expression.of((gaze[0] + float(across), gaze[1] + float(down)), **lasting, jawOpen=opening)
    return portrait, Expression.of(gaze, **lasting)


def random_framing(rng: np.random.Generator) -> Framing:
    """Faces of any size, off centre where most of them stays in the picture."""
    face = float(np.exp(rng.uniform(*np.log(FACE))))
    free = [min(most, 0.5 - (inside - CUT) * face) for most, inside in zip(OFF_CENTRE, INSIDE, strict=True)]
    x, y = (float(0.5 + rng.uniform(-reach, reach)) for reach in free)
    return Framing(SIDE, SIDE, face, x, y, float(rng.uniform(*CAMERA)))


def _part(performance: Performance, frames: slice) -> Performance:
    names = (field.name for field in fields(performance) if field.name != "fps")
    return replace(performance, **{name: getattr(performance, name)[frames] for name in names})


def heard(speech: Speech, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Around the frames from `start` on: sound float16 as the audio encoder gets it, the whole of which has
    zero mean and unit variance, zero beyond its ends, and phonemes int16 at 50 Hz."""
    frames = slice(start, start + FRAMES + 2 * MARGIN)
    sound = standardize(torch.from_numpy(speech.waveform)).numpy()
    labels = phoneme_frames(speech, len(sound) * FEATURE_RATE // SAMPLE_RATE, FEATURE_RATE)
    waveform = _stretch(sound, frames, SAMPLE_RATE, 0)
    phonemes = _stretch(labels, frames, FEATURE_RATE, PHONEMES.index("pau"))
    return waveform.astype(np.float16), phonemes.astype(np.int16)


def _stretch(values: np.ndarray, frames: slice, rate: int, silence: int) -> np.ndarray:
    """Of values at `rate` Hz those of the frames, counted from MARGIN frames before the first."""
    first, stop, margin = (round(k * rate / FPS) for k in (frames.start, frames.stop, MARGIN))
    padded = np.pad(values, (margin, max(0, stop - margin - len(values))), constant_values=silence)
    return np.asarray(padded[first:stop])


def film(studio: Studio, rehearsal: Rehearsal) -> Clip:
    """Draws the clip; all that stands still in it is the same in all pictures, the camera's noise too."""
    person, scene = random_person(rehearsal.seed), filmed_well(random_scene(rehearsal.seed))
    acted, framing = rehearsal.performance, rehearsal.framing
    moments = [rehearsal.portrait, *((acted.expression(k), acted.pose(k)) for k in range(FRAMES))]
    pictures, truths, traced = [], [], []
    for moment in moments:
        # One after the other: what the studio works out for a moment serves all three.
        pictures.append(studio.photograph(person, *moment, framing, 0, scene))
        truths.append(studio.truth(person, *moment, framing))
        traced.append(studio.displacement(person, moments[0], moment, framing))
    displacement = fields_of(traced[1:])
    shown = [[t.mouth_open, t.mouth_width, *t.eye_open, t.yaw, t.pitch, t.roll] for t in truths[1:]]
    return Clip(
        pictures=np.stack(pictures),
        displacement=displacement,
        hidden=hidden_of(np.stack(pictures), displacement, traced[1:]),
        boxes=np.stack([truth.face_box for truth in truths]),
        landmarks=np.stack([truth.landmarks for truth in truths]),
        curves=np.c_[np.array(shown), acted.speed].astype(np.float32),
        turned=turned_of(acted, rehearsal.portrait[1]),
        lids=acted.actions[:, INDEX["eyeBlinkLeft"]],
        waveform=rehearsal.waveform,
        phonemes=rehearsal.phonemes,
        head_speed=np.array(rehearsal.head_speed, np.float32),
        start=np.array(rehearsal.start),
        seed=np.array(rehearsal.seed),
    )


def turned_of(acted: Performance, portrait: Pose) -> np.ndarray:
    """(F, 3) float32 degrees of yaw, pitch and roll from the portrait's pose."""
    angles = np.stack([acted.yaw, acted.pitch, acted.roll], 1)
    return np.asarray(angles - np.array([portrait.yaw, portrait.pitch, portrait.roll], np.float32))


def filmed_well(scene: Scene) -> Scene:
    """With half the noise and no codec: noise that moves with nothing would be taken for what the portrait
    does not show."""
    camera = scene.camera
    return replace(scene, camera=replace(camera, shot=camera.shot / 4, read=camera.read / 2, codec="none"))


def fields_of(traced: list[Displacement]) -> np.ndarray:
    """(F, 64, 64, 2) float32, px: the mean of each place's pixels, 0 where nobody is."""
    block = SIDE // FIELD_SIDE
    field = np.stack([back.field for back in traced])
    return np.asarray(field.reshape(len(field), FIELD_SIDE, block, FIELD_SIDE, block, 2).mean((2, 4)))


def hidden_of(pictures: np.ndarray, displacement: np.ndarray, traced: list[Displacement]) -> np.ndarray:
    """(F, 32, 32) uint8: the share of a cell's pixels, 255 for all, that the portrait does not show, or
    shows in another light."""
    frames = torch.from_numpy(pictures[1:]).float().div(255)
    off = torch.from_numpy(moved(pictures[0], displacement)).sub(frames).abs().amax(-1) > OFF
    hidden = off.numpy() | np.stack([back.hidden for back in traced])
    block = SIDE // CELLS
    share = hidden.reshape(len(hidden), CELLS, block, CELLS, block).mean((2, 4))
    return np.rint(255 * share).astype(np.uint8)


def moved(portrait: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """(F, H, W, 3) float32 0..1: a portrait (H, W, 3) uint8 moved by displacements (F, h, w, 2), px, which
    are enlarged to its size."""
    size = portrait.shape[:2]
    field = torch.from_numpy(displacement).permute(0, 3, 1, 2)
    field = F.interpolate(field, size=size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    identity = F.affine_grid(torch.eye(2, 3)[None], [1, 3, *size], align_corners=False)
    grid = identity + field * 2 / torch.tensor(size[::-1])
    picture = torch.from_numpy(portrait).permute(2, 0, 1).float().div(255).expand(len(grid), -1, -1, -1)
    result = F.grid_sample(picture, grid, padding_mode="border", align_corners=False)
    return result.permute(0, 2, 3, 1).numpy()
